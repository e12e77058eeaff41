/** `tsdump analyze FILE --emit-types [OUT.d.ts]`: the C types of the dump, for TypeScript. */

import { ofDump } from '../analyze/answer.ts';
import { typeDeclarations } from '../analyze/type-declarations.ts';
import { completenessLines } from '../render/completeness.ts';
import { exitStatus } from './exit-status.ts';
import type { Session } from './session.ts';
import { textOutput } from './text-output.ts';
import { packageVersion } from './version.ts';

/** Where to, and what becomes of a file that is there. */
export interface TypesRequest {
  /** Undefined: standard output. */
  readonly file: string | undefined;
  readonly overwrite: 'overwrite' | 'keep';
}

/** Characters that are written at once. */
const pieceLength = 64 * 1024;

/** What is asked of a session. */
type Asked = Pick<Session, 'file' | 'io' | 'kernel' | 'settings'>;

/** The result is the exit status. Throws DumpErrors: of the kernel's types, `io`. */
export async function emitTypes(session: Asked, request: TypesRequest): Promise<number> {
  const { io, kernel, settings } = session;
  const { lines, problems } = typeDeclarations(kernel.types, headOf(session));
  if (request.file === undefined) {
    const output = io.open('off');
    for (const piece of pieces(lines)) if (!(await output.write(piece))) break;
    await output.end();
  } else {
    const output = textOutput(request.file, request.overwrite, io);
    try {
      for (const piece of pieces(lines)) output.add(piece);
      output.finish();
    } finally {
      output.abort();
    }
  }
  const damaged = { what: 'types', count: problems.length, why: 'their description is damaged' };
  const missing = problems.length === 0 ? [] : [damaged];
  const answer = { json: () => null, text: () => [], missing, errors: problems };
  const whole = ofDump(answer, kernel);
  if (whole.missing.length === 0) return exitStatus.done;
  if (!settings.quiet) io.err(`${completenessLines(whole).join('\n')}\n`);
  return settings.strict ? exitStatus.absent : exitStatus.done;
}

function headOf({ kernel, file }: Asked): string[] {
  const release = kernel.vmcoreinfo.release ?? '(unknown release)';
  return [
    `C types of Linux ${release}, as scripts of tsdump see them.`,
    `Made by tsdump ${packageVersion()}: tsdump analyze ${file} --emit-types`,
  ];
}

function* pieces(lines: Iterable<string>): Generator<string> {
  let text = '';
  for (const line of lines) {
    text += `${line}\n`;
    if (text.length >= pieceLength) {
      yield text;
      text = '';
    }
  }
  yield text;
}
