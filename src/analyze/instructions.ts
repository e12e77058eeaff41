/**
 * x86-64 instructions as text, in the words of gdb and crash: AT&T syntax as binutils prints it.
 * iced-x86 decodes and names them; what binutils writes otherwise is put right here.
 * iced-x86 is a WebAssembly module of 800 KB: only what disassembles may load this file.
 */

import {
  Decoder,
  DecoderOptions,
  Formatter,
  FormatterSyntax,
  Instruction,
  Mnemonic,
  OpKind,
} from 'iced-x86';

/** One instruction of a stretch of code. */
export interface Decoded {
  readonly address: bigint;
  /** Bytes. */
  readonly length: number;
  /** `mov    0x18(%rbx),%eax`. */
  readonly text: string;
  /** Where it jumps, calls or, relative to itself, reads: that address ends the text. */
  readonly target: bigint | undefined;
}

/** The text of a byte that begins no instruction. */
export const bad = '(bad)  ';
/** The longest instruction of the architecture, in bytes. */
export const longestInstruction = 15;

/**
 * The instructions of `bytes`, which begin at `address`, one after the other. One that the end of
 * the bytes cuts off is bad: give `longestInstruction` more where that matters.
 */
export function* decode(bytes: Uint8Array, address: bigint): Generator<Decoded> {
  // What the library allocates lies in its own memory: no garbage collector sees it.
  const decoder = new Decoder(64, bytes, DecoderOptions.None);
  const instruction = new Instruction();
  const plain = newFormatter();
  const segments = newFormatter();
  segments.alwaysShowSegmentRegister = true;
  try {
    decoder.ip = address;
    while (decoder.canDecode) {
      const at = decoder.position;
      const start = BigInt.asUintN(64, address + BigInt(at));
      decoder.decodeOut(instruction);
      if (instruction.isInvalid) {
        // As in binutils the next byte may begin an instruction.
        decoder.position = at + 1;
        decoder.ip = start + 1n;
        yield { address: start, length: 1, text: bad, target: undefined };
        continue;
      }
      const formatter = instruction.isStringInstruction ? segments : plain;
      const target = targetOf(instruction);
      const text = textOf(formatter, instruction, bytes.subarray(at));
      yield { address: start, length: instruction.length, text, target };
    }
  } finally {
    for (const part of [segments, plain, instruction, decoder]) part.free();
  }
}

function newFormatter(): Formatter {
  const formatter = new Formatter(FormatterSyntax.Gas);
  formatter.smallHexNumbersInDecimal = false;
  formatter.uppercaseHex = false;
  formatter.alwaysShowScale = true;
  formatter.branchLeadingZeros = false;
  formatter.ripRelativeAddresses = true;
  formatter.showUselessPrefixes = true;
  formatter.showZeroDisplacements = true;
  return formatter;
}

function targetOf(instruction: Instruction): bigint | undefined {
  if (instruction.isIpRelMemoryOperand) return instruction.ipRelMemoryAddress;
  const isBranch = instruction.opCount > 0 && instruction.op0Kind === OpKind.NearBranch64;
  return isBranch ? instruction.nearBranchTarget : undefined;
}

const shifts: ReadonlySet<Mnemonic> = new Set([
  ...[Mnemonic.Shl, Mnemonic.Shr, Mnemonic.Sar, Mnemonic.Sal],
  ...[Mnemonic.Rol, Mnemonic.Ror, Mnemonic.Rcl, Mnemonic.Rcr],
]);

/** What binutils names although the instruction takes nothing else. */
const implied: Readonly<Partial<Record<Mnemonic, string>>> = {
  [Mnemonic.Monitor]: '%rax,%ecx,%edx',
  [Mnemonic.Monitorx]: '%rax,%ecx,%edx',
  [Mnemonic.Mwait]: '%eax,%ecx',
  [Mnemonic.Mwaitx]: '%eax,%ecx,%ebx',
};

/** `bytes`: those of the instruction, and what follows. */
function textOf(formatter: Formatter, instruction: Instruction, bytes: Uint8Array): string {
  const { mnemonic } = instruction;
  let name = formatter.formatMnemonic(instruction);
  // With "always show the scale" iced has an empty one where there is no index.
  let operands = formatter.formatAllOperands(instruction).replaceAll(',)', ')');
  switch (mnemonic) {
    case Mnemonic.Imul:
      // binutils names a register twice that is source and destination.
      operands = operands.replace(/^(\$0x[0-9a-f]+),(%\w+)$/, '$1,$2,$2');
      break;
    case Mnemonic.Nop:
      // Of several prefixes for 16 bits one is the instruction's own.
      name = 'data16 '.repeat(Math.max(0, bytes.findIndex((byte) => byte !== 0x66) - 1)) + name;
      break;
    case Mnemonic.Push:
    case Mnemonic.Pop:
      name = name.replace(/q$/, '');
      break;
    default:
      if (shifts.has(mnemonic)) {
        // Both shifts to the left are one; one bit is not named.
        name = name.replace(/^sal/, 'shl');
        operands = operands.replace(/^\$0x1,/, '');
      }
      if (/^(rep |repz |repnz )?(ins|outs|in|out)[bwl]?$/.test(name)) {
        operands = operands.replace('%dx', '(%dx)');
      }
      operands = implied[mnemonic] ?? operands;
  }
  if (operands === '' && name === 'nop') return name;
  const rip = instruction.isIpRelMemoryOperand ? instruction.ipRelMemoryAddress : undefined;
  const comment = rip === undefined ? '' : `        # 0x${rip.toString(16)}`;
  return `${name.padEnd(6)} ${operands}${comment}`;
}
