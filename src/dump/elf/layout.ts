/**
 * ELF core files: what /proc/vmcore, netdump, makedumpfile -E and QEMU's dump-guest-memory write.
 * Source: elf(5) and the System V gABI.
 */

import { raw, struct, u8, u16, u32, u64 } from '../../bytes/struct.ts';
import { latin1Bytes } from '../../bytes/text.ts';

export const magic = '\x7fELF';

/** e_ident: the same for every class and byte order. */
export const ElfIdent = struct(
  'e_ident',
  {
    magic: raw(4, '7f 45 4c 46.'),
    ei_class: u8('1: 32 bits, 2: 64 bits.'),
    ei_data: u8('1: little endian, 2: big endian.'),
    ei_version: u8('1.'),
    padding: raw(9, 'OS ABI and padding.'),
  },
  { size: 16 },
);

export const Elf64Header = struct(
  'Elf64_Ehdr',
  {
    e_ident: raw(16, 'ElfIdent.'),
    e_type: u16('4 (ET_CORE).'),
    e_machine: u16('62 (EM_X86_64); 3 (EM_386) for a PAE kernel.'),
    e_version: u32('1.'),
    e_entry: u64('0.'),
    e_phoff: u64('Program headers; at 64, but at 192 in files of QEMU >= 7.'),
    e_shoff: u64('Section headers; needed for PN_XNUM only.'),
    e_flags: u32('makedumpfile -E: 1 for an incomplete dump.'),
    e_ehsize: u16('64; QEMU 7.2 writes 8. Nobody needs it.'),
    e_phentsize: u16('56.'),
    e_phnum: u16('Number of program headers, or PN_XNUM.'),
    e_shentsize: u16('64.'),
    e_shnum: u16('Number of section headers.'),
    e_shstrndx: u16('0.'),
  },
  { size: 64 },
);

export const Elf64Phdr = struct(
  'Elf64_Phdr',
  {
    p_type: u32('PT_LOAD or PT_NOTE.'),
    p_flags: u32('Rights.'),
    p_offset: u64('File offset.'),
    p_vaddr: u64('Kernel virtual address, 0, or (QEMU -p) anything.'),
    p_paddr: u64('Physical address; -1 for a range that has none (/proc/kcore).'),
    p_filesz: u64('Bytes in the file.'),
    p_memsz: u64('Bytes in memory; more than p_filesz where a filter left pages out.'),
    p_align: u64('0 or the page size.'),
  },
  { size: 56 },
);

/** The part of a section header that PN_XNUM needs. */
export const Elf64Shdr = struct(
  'Elf64_Shdr',
  {
    sh_name: u32('0.'),
    sh_type: u32('0.'),
    sh_flags: u64('0.'),
    sh_addr: u64('0.'),
    sh_offset: u64('0.'),
    sh_size: u64('0.'),
    sh_link: u32('0.'),
    sh_info: u32('In section 0: the number of program headers where e_phnum is PN_XNUM.'),
    sh_addralign: u64('0.'),
    sh_entsize: u64('0.'),
  },
  { size: 64 },
);

export const Elf32Header = struct(
  'Elf32_Ehdr',
  {
    e_ident: raw(16, 'ElfIdent.'),
    e_type: u16('4 (ET_CORE).'),
    e_machine: u16('3 (EM_386).'),
    e_version: u32('1.'),
    e_entry: u32('0.'),
    e_phoff: u32('Program headers.'),
    e_shoff: u32('Section headers.'),
    e_flags: u32('As in Elf64_Ehdr.'),
    e_ehsize: u16('52.'),
    e_phentsize: u16('32.'),
    e_phnum: u16('Number of program headers, or PN_XNUM.'),
    e_shentsize: u16('40.'),
    e_shnum: u16('Number of section headers.'),
    e_shstrndx: u16('0.'),
  },
  { size: 52 },
);

export const Elf32Phdr = struct(
  'Elf32_Phdr',
  {
    p_type: u32('PT_LOAD or PT_NOTE.'),
    p_offset: u32('File offset.'),
    p_vaddr: u32('Kernel virtual address.'),
    p_paddr: u32('Physical address.'),
    p_filesz: u32('Bytes in the file.'),
    p_memsz: u32('Bytes in memory.'),
    p_flags: u32('Rights.'),
    p_align: u32('0 or the page size.'),
  },
  { size: 32 },
);

/** The part of a section header that PN_XNUM needs. */
export const Elf32Shdr = struct(
  'Elf32_Shdr',
  {
    sh_ids: raw(28, 'Name, type, flags, address, offset, size, link: 0.'),
    sh_info: u32('As in Elf64_Shdr.'),
    sh_addralign: u32('0.'),
    sh_entsize: u32('0.'),
  },
  { size: 40 },
);

export const ELFCLASS32 = 1;
export const ELFCLASS64 = 2;
export const ELFDATA2LSB = 1;
export const EV_CURRENT = 1;
export const ET_CORE = 4;
export const EM_386 = 3;
export const EM_X86_64 = 62;
export const PT_LOAD = 1;
export const PT_NOTE = 4;
export const PN_XNUM = 0xffff;
/** Read, write and execute: what the kernel puts into every p_flags. */
export const anyAccess = 7;
/** makedumpfile's DUMP_ELF_INCOMPLETE in e_flags. */
export const flagIncomplete = 1;

/** Names of machines whose dumps are refused. */
export const machineNames: ReadonlyMap<number, string> = new Map([
  [8, 'mips'],
  [20, 'ppc'],
  [21, 'ppc64'],
  [22, 's390'],
  [40, 'arm'],
  [50, 'ia64'],
  [183, 'aarch64'],
  [243, 'riscv'],
  [258, 'loongarch'],
]);

/** The first bytes of a file of our own: 64 bits, little endian. */
export function littleEndianIdent(): Uint8Array {
  return ElfIdent.encode({
    magic: latin1Bytes(magic),
    ei_class: ELFCLASS64,
    ei_data: ELFDATA2LSB,
    ei_version: EV_CURRENT,
  });
}
