/**
 * An ELF dump of a machine with much memory of which little is there: segments of 1 MB, a gigabyte
 * together, spread evenly; all of them are the same 16 MB of the file, one after another.
 */

import { closeSync, openSync, writeSync } from 'node:fs';
import {
  Elf64Header,
  Elf64Phdr,
  EM_X86_64,
  ET_CORE,
  littleEndianIdent,
  PT_LOAD,
} from '../dist/dump/elf/layout.js';

const segment = 2 ** 20;
const segments = 1024;
const stored = 16 * segment;

/** The result is the number of pages. */
export function makeSparse(file, gigabytes) {
  const headers = new Uint8Array(64 * 1024);
  Elf64Header.write(headers, 0, {
    e_ident: littleEndianIdent(),
    e_type: ET_CORE,
    e_machine: EM_X86_64,
    e_version: 1,
    e_phoff: BigInt(Elf64Header.size),
    e_ehsize: Elf64Header.size,
    e_phentsize: Elf64Phdr.size,
    e_phnum: segments,
  });
  const stride = (gigabytes * 2 ** 30) / segments;
  for (let index = 0; index < segments; index++) {
    Elf64Phdr.write(headers, Elf64Header.size + index * Elf64Phdr.size, {
      p_type: PT_LOAD,
      p_offset: BigInt(headers.length + ((index * segment) % stored)),
      p_paddr: BigInt(index * stride),
      p_filesz: BigInt(segment),
      p_memsz: BigInt(segment),
    });
  }
  const fd = openSync(file, 'w');
  writeSync(fd, headers);
  writeSync(fd, content());
  closeSync(fd);
  return (segments * segment) / 4096;
}

/** Words that repeat and words that do not, so that pages pack as memory does. */
function content() {
  const words = new Uint32Array(stored / 4);
  let value = 1;
  for (let at = 0; at < words.length; at++) {
    value = (Math.imul(value, 1664525) + 1013904223) >>> 0;
    words[at] = at % 4 === 0 ? value : at >> 6;
  }
  return new Uint8Array(words.buffer);
}
