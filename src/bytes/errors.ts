/**
 * The one error of the project for things that are wrong with an input. A code says which kind of
 * wrong, a place says where, a hint says what to do. "Not in the dump" is never "broken dump".
 */

export type ErrorCode =
  /** A page, symbol, type or member that is not there. */
  | 'absent'
  /** A page that a filter left out on purpose. */
  | 'excluded'
  /** The file ends before what it promises. */
  | 'truncated'
  /** The bytes contradict themselves or their format. */
  | 'corrupt'
  /** Well-formed, but nothing here can read it. */
  | 'unsupported'
  /** Two inputs, or an input and its own claim, do not belong together. */
  | 'mismatch'
  /** The operating system refused. */
  | 'io'
  /** The caller asked for something that makes no sense. */
  | 'usage';

export interface Where {
  readonly file?: string | undefined;
  /** Byte offset in `file`. */
  readonly offset?: number | undefined;
  readonly pfn?: number | undefined;
  readonly physical?: bigint | undefined;
  readonly virtual?: bigint | undefined;
}

export interface ErrorDetails {
  readonly where?: Where | undefined;
  readonly hint?: string | undefined;
  readonly cause?: unknown;
}

export class DumpError extends Error {
  override readonly name = 'DumpError';
  readonly code: ErrorCode;
  readonly where: Where;
  readonly hint: string | undefined;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.where = details.where ?? {};
    this.hint = details.hint;
  }
}

/** An assertion about our own code: its failure is our bug, whatever the input. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Error(`assertion failed: ${message}`);
}

/**
 * Runs `body`; a DumpError that leaves it gets `prefix` before its message and the members of
 * `where` that it does not have yet. Code, hint and cause stay.
 */
export function within<T>(prefix: string, where: Where, body: () => T): T {
  try {
    return body();
  } catch (error) {
    if (!(error instanceof DumpError)) throw error;
    const message = prefix === '' ? error.message : `${prefix}: ${error.message}`;
    throw new DumpError(error.code, message, {
      where: { ...where, ...definedOf(error.where) },
      hint: error.hint,
      cause: error.cause,
    });
  }
}

/**
 * What `read` gives, or undefined where it fails with a DumpError: for answers that go on without
 * one of their parts. `onProblem` is told, so that the answer can say what it lacks.
 */
export function attempt<T>(read: () => T, onProblem?: (problem: DumpError) => void): T | undefined {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof DumpError)) throw error;
    onProblem?.(error);
    return undefined;
  }
}

/** What a value that was thrown says of itself: libraries throw more than Errors. */
export function reasonOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}

function definedOf(where: Where): Where {
  return Object.fromEntries(Object.entries(where).filter(([, value]) => value !== undefined));
}

/** `vmcore +0x2f91c0 (pfn 0x1fbb)`: the place of an error in one line, empty when it has none. */
export function describeWhere(where: Where): string {
  const parts: string[] = [];
  if (where.file !== undefined) parts.push(where.file);
  if (where.offset !== undefined) parts.push(`+0x${where.offset.toString(16)}`);
  const inMemory: string[] = [];
  if (where.pfn !== undefined) inMemory.push(`pfn 0x${where.pfn.toString(16)}`);
  if (where.physical !== undefined) inMemory.push(`physical 0x${where.physical.toString(16)}`);
  if (where.virtual !== undefined) inMemory.push(`virtual 0x${where.virtual.toString(16)}`);
  if (inMemory.length > 0) {
    parts.push(parts.length > 0 ? `(${inMemory.join(', ')})` : inMemory.join(', '));
  }
  return parts.join(' ');
}
