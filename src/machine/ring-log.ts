/**
 * A record appended to the kernel log as printk would append it, by a CPU that is alone at it:
 * descriptor, text and information, the oldest records given up where the rings are full.
 * Source: kernel/printk/printk_ringbuffer.c (prb_reserve, data_alloc, prb_final_commit), v5.10 on.
 */

import { encodeUtf8 } from '../bytes/text.ts';
import type { Kernel } from '../linux/kernel.ts';
import type { AddressSpace } from '../linux/memory.ts';
import { u64Bytes } from './edit.ts';
import type { MachineMemory } from './memory.ts';

export interface LogLine {
  readonly text: string;
  readonly cpu: number;
  /** Nanoseconds after the newest record. */
  readonly afterNs: number;
}

/** States of a descriptor: the top two bits of its state variable. */
const State = { reserved: 0n, committed: 1n, finalized: 2n, reusable: 3n } as const;
const stateShift = 62n;
const idMask = (1n << stateShift) - 1n;
/** A block of text starts with its descriptor's id, and takes whole words. */
const blockHeader = 8n;
/** LOGLEVEL_WARNING, in the upper three bits of its byte. */
const warning = 4 << 5;
/** printk_caller_id(): outside of a task it is the CPU, with this bit. */
const callerIsCpu = 0x8000_0000;
/** More blocks than this given up for one line: the ring's positions are wrong. */
const maxGivenUp = 1024;

/** Memory as it is now, by the kernel's page tables. */
export interface LogMemory {
  readonly kernel: Kernel;
  readonly memory: MachineMemory;
  readonly virtual: AddressSpace;
}

/**
 * False where the ring cannot take it: another CPU holds its oldest record. Throws DumpErrors where
 * the ring cannot be read.
 */
export function appendToLog(of: LogMemory, line: LogLine): boolean {
  return new RingLog(of).append(line);
}

class RingLog {
  readonly #of: LogMemory;
  readonly #descRing: bigint;
  readonly #dataRing: bigint;
  readonly #count: bigint;
  readonly #size: bigint;

  constructor(of: LogMemory) {
    this.#of = of;
    const ring = of.virtual.u64(of.kernel.symbol('prb').address);
    this.#descRing = ring + this.#offset('printk_ringbuffer', 'desc_ring');
    this.#dataRing = ring + this.#offset('printk_ringbuffer', 'text_data_ring');
    const bits = (address: bigint) => BigInt(of.virtual.u32(address) & 31);
    this.#count = 1n << bits(this.#desc('count_bits'));
    this.#size = 1n << bits(this.#data('size_bits'));
  }

  append({ text, cpu, afterNs }: LogLine): boolean {
    const newest = this.#read(this.#desc('head_id')) & idMask;
    const id = (newest + 1n) & idMask;
    const oldest = this.#read(this.#desc('tail_id')) & idMask;
    const isFull = ((id - this.#count) & idMask) === oldest;
    if (isFull && !this.#giveUpOldest(oldest)) return false;
    const info = this.#infoAt(id);
    const last = this.#read(info + this.#offset('printk_info', 'seq'));
    const slot = id & (this.#count - 1n);
    const sequence = last === 0n && slot !== 0n ? slot : last + this.#count;
    this.#write(this.#stateAt(id), id | (State.reserved << stateShift));
    this.#write(this.#desc('head_id'), id);
    const bytes = encodeUtf8(text);
    if (!this.#placeText(id, bytes)) return false;
    this.#finalize(newest);
    const timestamp = this.#infoAt(newest) + this.#offset('printk_info', 'ts_nsec');
    const record = new Uint8Array(this.#of.kernel.types.sizeOf('struct printk_info'));
    const view = new DataView(record.buffer);
    const at = (member: string) => Number(this.#offset('printk_info', member));
    view.setBigUint64(at('seq'), sequence, true);
    view.setBigUint64(at('ts_nsec'), this.#read(timestamp) + BigInt(afterNs), true);
    view.setUint16(at('text_len'), bytes.length, true);
    view.setUint8(at('facility') + 1, warning);
    view.setUint32(at('caller_id'), (callerIsCpu | cpu) >>> 0, true);
    this.#store(info, record);
    this.#write(this.#stateAt(id), id | (State.finalized << stateShift));
    return true;
  }

  /** Its text first, then its place in the ring of descriptors. */
  #giveUpOldest(id: bigint): boolean {
    if (!this.#makeReusable(id)) return false;
    const next = this.#read(this.#lposAt(id, 'next'));
    if (!this.#freeText(next)) return false;
    this.#write(this.#desc('tail_id'), (id + 1n) & idMask);
    return true;
  }

  /** A record that a CPU still writes cannot be given up. */
  #makeReusable(id: bigint): boolean {
    const value = this.#read(this.#stateAt(id));
    const state = value >> stateShift;
    if ((value & idMask) !== id) return false;
    if (state === State.finalized)
      this.#write(this.#stateAt(id), id | (State.reusable << stateShift));
    return state === State.finalized || state === State.reusable;
  }

  /** Gives up the oldest texts until the ring's tail is at `position` or behind it. */
  #freeText(position: bigint): boolean {
    const tail = this.#data('tail_lpos');
    for (let count = 0; count < maxGivenUp; count++) {
      const at = this.#read(tail);
      const missing = BigInt.asUintN(64, position - at);
      // Positions only grow, modulo 2^64: what is more than the ring away is behind.
      if (missing === 0n || missing > this.#size) return true;
      const owner = this.#read(this.#textAddress(at)) & idMask;
      if (this.#read(this.#lposAt(owner, 'begin')) !== at || !this.#makeReusable(owner))
        return false;
      this.#write(tail, this.#read(this.#lposAt(owner, 'next')));
    }
    return false;
  }

  /** A text that does not fit before the end of the ring stands at its start. */
  #placeText(id: bigint, bytes: Uint8Array): boolean {
    const size = (blockHeader + BigInt(bytes.length) + 7n) & ~7n;
    const begin = this.#read(this.#data('head_lpos'));
    const wrapOf = (position: bigint) => position / this.#size;
    const straight = begin + size;
    const isWrapped = wrapOf(begin) !== wrapOf(straight);
    const next = isWrapped ? wrapOf(straight) * this.#size + size : straight;
    if (!this.#freeText(BigInt.asUintN(64, next - this.#size))) return false;
    this.#write(this.#data('head_lpos'), next);
    this.#write(this.#textAddress(begin), id);
    const block = isWrapped ? this.#textAddress(0n) : this.#textAddress(begin);
    this.#write(block, id);
    this.#store(block + blockHeader, bytes);
    this.#write(this.#lposAt(id, 'begin'), begin);
    this.#write(this.#lposAt(id, 'next'), next);
    return true;
  }

  /** The record before: nothing can be added to it any more. */
  #finalize(id: bigint): void {
    const value = this.#read(this.#stateAt(id));
    if (value === (id | (State.committed << stateShift))) {
      this.#write(this.#stateAt(id), id | (State.finalized << stateShift));
    }
  }

  #desc(member: string): bigint {
    return this.#descRing + this.#offset('prb_desc_ring', member);
  }

  #data(member: string): bigint {
    return this.#dataRing + this.#offset('prb_data_ring', member);
  }

  #descAt(id: bigint): bigint {
    const size = BigInt(this.#of.kernel.types.sizeOf('struct prb_desc'));
    return this.#read(this.#desc('descs')) + (id & (this.#count - 1n)) * size;
  }

  #stateAt(id: bigint): bigint {
    return this.#descAt(id) + this.#offset('prb_desc', 'state_var');
  }

  #lposAt(id: bigint, member: 'begin' | 'next'): bigint {
    const block = this.#descAt(id) + this.#offset('prb_desc', 'text_blk_lpos');
    return block + this.#offset('prb_data_blk_lpos', member);
  }

  #infoAt(id: bigint): bigint {
    const size = BigInt(this.#of.kernel.types.sizeOf('struct printk_info'));
    return this.#read(this.#desc('infos')) + (id & (this.#count - 1n)) * size;
  }

  #textAddress(position: bigint): bigint {
    return this.#read(this.#data('data')) + (position & (this.#size - 1n));
  }

  #offset(type: string, member: string): bigint {
    return BigInt(this.#of.kernel.types.offsetOf(`struct ${type}`, member));
  }

  #read(address: bigint): bigint {
    return this.#of.virtual.u64(address);
  }

  #write(address: bigint, value: bigint): void {
    this.#store(address, u64Bytes(value));
  }

  #store(address: bigint, bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length; ) {
      const at = address + BigInt(done);
      const piece = bytes.subarray(done, done + 4096 - Number(at & 0xfffn));
      this.#of.memory.write(this.#of.virtual.translate(at).physical, piece);
      done += piece.length;
    }
  }
}
