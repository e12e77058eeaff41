/**
 * The JSON document of a command: one envelope around every kind of data, so that a program can
 * judge completeness without knowing the command. Schemas: `docs/reference/json/`.
 */

import type { Answer, Json, Missing } from '../analyze/command.ts';
import type { DumpError } from '../bytes/errors.ts';
import { jsonAddress } from '../bytes/text.ts';
import type { CaptureReport } from '../trial/report.ts';
import { errorJson, type JsonError } from './errors.ts';

export interface Envelope {
  /** Version of tsdump. */
  readonly tsdump: string;
  /** Name and version of the data's schema: `ps/1`. */
  readonly schema: string;
  /** The file, as the user named it. */
  readonly input: string | null;
  readonly complete: boolean;
  readonly missing: readonly Missing[];
  /** null where the command failed as a whole; `errors` then says why. */
  readonly data: Json;
  readonly errors: readonly JsonError[];
}

/** What a document says of its origin. */
export interface Origin {
  readonly version: string;
  readonly schema: string;
  readonly input: string | null;
}

export function answerEnvelope(origin: Origin, answer: Answer): Envelope {
  // First: what is missing is known when all of it has been read.
  const data = answer.json();
  return {
    tsdump: origin.version,
    schema: origin.schema,
    input: origin.input,
    complete: answer.missing.length === 0,
    missing: answer.missing,
    data,
    errors: (answer.errors ?? []).map(errorJson),
  };
}

/** What a command found or made, and what it lacks of it. */
export function dataEnvelope(origin: Origin, data: Json, missing: readonly Missing[]): Envelope {
  return {
    tsdump: origin.version,
    schema: origin.schema,
    input: origin.input,
    complete: missing.length === 0,
    missing,
    data,
    errors: [],
  };
}

export function failureEnvelope(origin: Origin, error: DumpError): Envelope {
  return {
    tsdump: origin.version,
    schema: origin.schema,
    input: origin.input,
    complete: false,
    missing: [{ what: origin.schema.replace(/\/.*/, ''), count: null, why: error.message }],
    data: null,
    errors: [errorJson(error)],
  };
}

/** The report of a capture; it is complete when its verdict is. `output` names the dump file. */
export function captureEnvelope(
  origin: Origin,
  report: CaptureReport,
  output: string | undefined,
): Envelope {
  const { verdict } = report;
  const isComplete = verdict.class === 'complete';
  const why = `${verdict.class}: ${verdict.reasons.join('; ')}`;
  return {
    tsdump: origin.version,
    schema: origin.schema,
    input: origin.input,
    complete: isComplete,
    missing: isComplete ? [] : [{ what: 'dump', count: null, why }],
    data: { output: output ?? null, ...plain(report) },
    errors: [],
  };
}

/** The report's own members; undefined ones are not there, addresses are written as everywhere. */
function plain(report: CaptureReport): { readonly [member: string]: Json } {
  const { ownWrites, memory } = report;
  const { code, structures, reserved } = memory.targets;
  const targets = {
    code: code.map(addresses),
    structures: structures.map(addresses),
    reserved: reserved.map(addresses),
  };
  const text = JSON.stringify({
    ...report,
    ownWrites: ownWrites.map(({ what, ...range }) => ({ what, ...addresses(range) })),
    memory: { ...memory, ram: memory.ram.map(addresses), targets },
  });
  return JSON.parse(text) as { readonly [member: string]: Json };
}

function addresses({ start, end }: { readonly start: number; readonly end: number }): {
  readonly start: string;
  readonly end: string;
} {
  return { start: jsonAddress(BigInt(start)), end: jsonAddress(BigInt(end)) };
}
