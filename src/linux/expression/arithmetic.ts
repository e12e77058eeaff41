/**
 * Integer arithmetic by the rules of C on x86-64 (C11 6.3.1, 6.5): promotion to int, the common
 * type of two operands, results cut to their width. What C leaves undefined is defined here:
 * overflow wraps around, a shift by the width or more shifts everything out.
 */

import { DumpError } from '../../bytes/errors.ts';
import type { IntegerShape } from './ctype.ts';

export const int: IntegerShape = { size: 4, signed: true };

/** `value` as an integer of this shape. */
export function cut(value: bigint, { size, signed }: IntegerShape): bigint {
  return signed ? BigInt.asIntN(size * 8, value) : BigInt.asUintN(size * 8, value);
}

/** Everything smaller than an int is an int. */
export function promoted({ size, signed }: IntegerShape): IntegerShape {
  return size < 4 ? int : { size, signed };
}

/** The type that both operands of an operator take. */
export function common(one: IntegerShape, other: IntegerShape): IntegerShape {
  const left = promoted(one);
  const right = promoted(other);
  if (left.size !== right.size) return left.size > right.size ? left : right;
  return { size: left.size, signed: left.signed && right.signed };
}

export const comparisons: ReadonlySet<string> = new Set(['==', '!=', '<', '>', '<=', '>=']);

/** `left` and `right` are of one shape already. */
export function compare(operator: string, left: bigint, right: bigint): boolean {
  switch (operator) {
    case '==':
      return left === right;
    case '!=':
      return left !== right;
    case '<':
      return left < right;
    case '>':
      return left > right;
    case '<=':
      return left <= right;
    default:
      return left >= right;
  }
}

/** Both operands cut to `shape`, and so is the result. Throws `usage` for a division by zero. */
export function calculate(
  operator: string,
  left: bigint,
  right: bigint,
  shape: IntegerShape,
): bigint {
  return cut(exact(operator, cut(left, shape), cut(right, shape)), shape);
}

function exact(operator: string, left: bigint, right: bigint): bigint {
  switch (operator) {
    case '+':
      return left + right;
    case '-':
      return left - right;
    case '*':
      return left * right;
    case '/':
    case '%':
      if (right === 0n) throw new DumpError('usage', 'a division by zero');
      return operator === '/' ? left / right : left % right;
    case '&':
      return left & right;
    case '|':
      return left | right;
    default:
      return left ^ right;
  }
}

/** A shift has the type of its left operand, promoted. */
export function shift(operator: string, left: bigint, count: bigint, shape: IntegerShape): bigint {
  if (count < 0n) throw new DumpError('usage', `a shift by ${count}`);
  const width = BigInt(shape.size * 8);
  const steps = count > width ? width : count;
  const value = cut(left, shape);
  return cut(operator === '<<' ? value << steps : value >> steps, shape);
}
