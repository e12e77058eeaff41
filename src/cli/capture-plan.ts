/**
 * What a capture is to be, from the words of its command line: its image, its faults, its seed, and
 * the command that repeats it. Throws `usage` before anything is opened or written.
 */

import { randomInt } from 'node:crypto';
import { resolve } from 'node:path';
import { DumpError } from '../bytes/errors.ts';
import { shellWord } from '../bytes/text.ts';
import { type MethodDescription, methodWord, parseMethod } from '../capture/catalogue.ts';
import { type HardwareProfile, hardwareNames, hardwareProfile } from '../machine/hardware.ts';
import { dumpDevices } from '../trial/faults/dump-device.ts';
import { parseFault } from '../trial/faults/fault.ts';
import type { Fault } from '../trial/faults/kind.ts';
import { maxSeed } from '../trial/faults/random.ts';
import type { CaptureChoice } from '../trial/prepared.ts';
import { maxWatchdog, type Scenario } from '../trial/scenario.ts';
import type { Trigger } from '../trial/trials.ts';
import { type VerdictClass, verdictClasses } from '../trial/verdict-classes.ts';
import { freeName, oneOf, parseCompression, parseLevel } from './capture-options.ts';
import type { CaptureFlags } from './handlers.ts';
import { type InputFlags, inputFlagsOf } from './input-options.ts';
import { findScenario } from './library.ts';
import { type Place, placeOf } from './place.ts';
import { replayOf } from './replay.ts';

/** What `tsdump capture` alone takes. */
export const defaultScenario = 'null-process';

export interface CapturePlan {
  readonly choice: CaptureChoice;
  readonly scenario: Scenario | undefined;
  /** An image of tsdump by its name, or a dump of the user's. */
  readonly input:
    | { readonly image: string }
    | { readonly file: string; readonly flags: InputFlags };
  /** As a user should recognise it. */
  readonly inputName: string;
  /** Where a real dump server is; undefined: it is part of the machine. */
  readonly server: Place | undefined;
  /** Undefined: the machine is captured, whether it panicked or not. */
  readonly trigger: Trigger | undefined;
  readonly hardware: HardwareProfile | undefined;
  readonly faults: readonly Fault[];
  readonly seed: number;
  readonly expected: VerdictClass;
  readonly output: string;
  readonly overwrite: boolean;
  readonly trace: string | undefined;
  readonly picture: string | undefined;
  /** Where the first disk's image goes; those of others have a number behind. */
  readonly keepDisk: string | undefined;
  /** Nothing was asked for: a first look. */
  readonly isBare: boolean;
  /** The command that does the same again. */
  readonly again: string;
}

/** `command` is the word that was used: `capture`, `mkdump`, `kexec`. */
export function planCapture(given: CaptureFlags, command: string): CapturePlan {
  const replay = given.replay === undefined ? undefined : replayOf(given.replay, given);
  const flags = replay?.flags ?? given;
  const { method, generation } = parseMethod(methodOf(flags));
  const output = flags.output ?? freeName(method.name, method.format);
  checkFiles(
    {
      ...{ '--output': output, '--trace': flags.trace, '--picture': flags.picture },
      '--keep-disk': flags.keepDisk,
    },
    flags.machine,
  );
  const scenario = replay?.scenario ?? scenarioOf(flags);
  const image = scenario?.image ?? defaultScenario;
  const hardware = flags.hardware ?? scenario?.hardware;
  const faults = faultsOf(flags, method, scenario);
  const seed = flags.seed === undefined ? randomInt(maxSeed + 1) : seedOf(flags.seed);
  return {
    choice: {
      method: methodWord(method.name, generation),
      ...(flags.level === undefined ? {} : { level: parseLevel(flags.level) }),
      ...(flags.compress === undefined
        ? {}
        : { compression: parseCompression(flags.compress, method.compressions) }),
    },
    scenario,
    input:
      flags.machine === undefined ? { image } : { file: flags.machine, flags: inputFlagsOf(flags) },
    inputName: flags.machine ?? image,
    trigger: scenario?.trigger ?? (flags.machine === undefined ? 'nobody' : undefined),
    hardware:
      hardware === undefined
        ? undefined
        : hardwareProfile(oneOf('--hardware', hardware, hardwareNames)),
    faults,
    seed,
    server: serverOf(flags, method),
    expected: oneOf('--expect', flags.expect ?? 'complete', verdictClasses),
    output,
    overwrite: flags.force === true,
    trace: flags.trace,
    picture: flags.picture,
    keepDisk: flags.keepDisk,
    isBare: isBare(given),
    again: commandLine(given, command, seed),
  };
}

function isBare({ scenario, machine, fault, replay, watchdog, dumpDevice }: CaptureFlags): boolean {
  return [scenario, machine, fault, replay, watchdog, dumpDevice].every(
    (flag) => flag === undefined,
  );
}

/** `--generation` is the word behind the colon, for a method that is a command. */
function methodOf({ method, generation }: CaptureFlags): string {
  if (generation === undefined) return method;
  if (!method.includes(':')) return `${method}:${generation}`;
  throw new DumpError('usage', `--method ${method} --generation ${generation}: given twice`);
}

function serverOf({ server }: CaptureFlags, { name, port }: MethodDescription): Place | undefined {
  if (server === undefined) return undefined;
  if (port !== undefined) return placeOf('--server', server, port);
  throw new DumpError('usage', `--server ${server}: ${name} needs no dump server`);
}

/** Nothing is written where any of the names cannot be meant. `input` is the user's own dump. */
function checkFiles(
  files: Readonly<Record<string, string | undefined>>,
  input: string | undefined,
): void {
  const taken = new Set(input === undefined ? [] : [resolve(input)]);
  for (const [option, name] of Object.entries(files)) {
    if (name === undefined) continue;
    if (name === '') throw new DumpError('usage', `${option}: the name is empty`);
    const path = resolve(name);
    if (taken.has(path)) throw new DumpError('usage', `${option} ${name}: two files of one name`);
    taken.add(path);
  }
  for (const option of ['--output', '--keep-disk']) {
    if (files[option] !== '-') continue;
    throw new DumpError('usage', `${option} -: this cannot be written to standard output`);
  }
  const picture = files['--picture'];
  if (picture !== undefined && !/\.(?:svg|html)$/.test(picture)) {
    throw new DumpError('usage', `--picture ${picture}: the name ends in .svg or .html`);
  }
}

function scenarioOf({ scenario, machine }: CaptureFlags): Scenario | undefined {
  if (scenario === undefined && machine !== undefined) return undefined;
  return findScenario(scenario ?? defaultScenario).scenario;
}

/** A watchdog is a fault like any other: it can be left out to see what difference it makes. */
function faultsOf(flags: CaptureFlags, method: MethodDescription, scenario?: Scenario): Fault[] {
  const { fault = [], watchdog } = flags;
  const seconds = watchdog === undefined ? scenario?.watchdog : secondsOf(watchdog);
  return [
    ...(scenario?.faults ?? []),
    ...(seconds === undefined ? [] : [`watchdog:seconds=${seconds}`]).map(parseFault),
    ...dumpDeviceOf(flags, method).map(parseFault),
    ...fault.map(parseFault),
  ];
}

/** A mistyped one is a fault, too. */
function dumpDeviceOf({ dumpDevice }: CaptureFlags, { name, device }: MethodDescription): string[] {
  if (dumpDevice === undefined) return [];
  if (device === undefined) {
    throw new DumpError('usage', `--dump-device ${dumpDevice}: ${name} writes to no device`);
  }
  return [`partition-mistyped:holds=${oneOf('--dump-device', dumpDevice, dumpDevices)}`];
}

function secondsOf(text: string): number {
  const seconds = /^\d{1,4}$/.test(text) ? Number(text) : 0;
  if (seconds >= 1 && seconds <= maxWatchdog) return seconds;
  throw new DumpError('usage', `--watchdog ${text}: seconds are 1 to ${maxWatchdog}`);
}

function seedOf(text: string): number {
  const seed = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  if (seed <= maxSeed) return seed;
  throw new DumpError('usage', `--seed ${text}: a seed is a whole number, 0 to ${maxSeed}`);
}

/** Where the dump went is no part of what was done. */
function commandLine(flags: CaptureFlags, command: string, seed: number): string {
  const words = ['tsdump', command];
  const add = (option: string, value: string | undefined): void => {
    if (value !== undefined) words.push(option, shellWord(value));
  };
  add('--replay', flags.replay);
  if (flags.replay !== undefined) return words.join(' ');
  if (command === 'capture' && flags.method !== 'mkdump') add('--method', flags.method);
  add('--generation', flags.generation);
  add('--scenario', flags.scenario);
  for (const fault of flags.fault ?? []) add('--fault', fault);
  add('--hardware', flags.hardware);
  add('--watchdog', flags.watchdog);
  add('--dump-device', flags.dumpDevice);
  add('--machine', flags.machine);
  add('--server', flags.server);
  add('--format', flags.format);
  add('--ranges', flags.ranges);
  add('--level', flags.level);
  add('--compress', flags.compress);
  add('--expect', flags.expect);
  add('--seed', String(seed));
  return words.join(' ');
}
