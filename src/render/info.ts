/** What a dump is, for people and as JSON. See src/check/info.ts. */

import { Chalk } from 'chalk';
import type { Json } from '../analyze/command.ts';
import { crashDate, duration } from '../analyze/time.ts';
import { humanSize, jsonAddress, plural } from '../bytes/text.ts';
import type { Identity } from '../check/identity.ts';
import { type DumpInfo, levelNames } from '../check/info.ts';
import type { Detail } from '../dump/inspection.ts';
import type { Envelope, Origin } from './envelope.ts';
import { errorJson } from './errors.ts';
import { type Fact, factLines } from './facts.ts';
import { wrapped } from './lines.ts';

export interface InfoView {
  /** As the user named it. */
  readonly input: string;
  readonly info: DumpInfo;
  /** Of all its files. */
  readonly fileBytes: number;
  readonly details: readonly Detail[];
}

export interface LineStyle {
  /** In columns. */
  readonly width: number;
  readonly colour: 'colour' | 'plain';
}

export function infoLines(view: InfoView, { width, colour }: LineStyle): string[] {
  const chalk = new Chalk({ level: colour === 'colour' ? 1 : 0 });
  const { input, info } = view;
  const [first = '', ...rest] = wrapped(`${input}: ${info.description}`, width, '  ');
  const section = (title: string, facts: readonly Fact[]): string[] => {
    const lines = factLines(facts, width);
    return lines.length === 0 ? [] : ['', chalk.bold(title), ...lines];
  };
  const lacks = info.lacks.flatMap(({ what, means }) =>
    wrapped(`- ${what}: ${means}`, width, '  '),
  );
  return [
    chalk.bold(first),
    ...rest,
    ...section('Machine', machineFacts(info)),
    ...section('Debug symbols', symbolFacts(info)),
    ...section('File', fileFacts(view)),
    ...section('Kernel in memory', placeFacts(info)),
    ...(lacks.length === 0 ? [] : ['', chalk.bold('What it lacks'), ...lacks]),
  ];
}

function machineFacts({ identity, takenBy }: DumpInfo): Fact[] {
  const { release, machine, version, buildId, nodename, panic } = identity;
  return [
    ['kernel', release === undefined ? undefined : `${release}, ${machine}`],
    ['version', version],
    ['build ID', buildId],
    ['node', nodename],
    ['time', timeText(identity)],
    ['uptime', optional(identity.uptimeSeconds, duration)],
    ['CPUs', optional(identity.cpus, (cpus) => `${cpus.possible} possible, ${cpus.online} online`)],
    ['memory', optional(identity.memoryBytes, humanSize)],
    ['panic', panic.message],
    ['panic', panicTaskText(identity)],
    ['taken by', optional(takenBy, ({ method, evidence }) => `${method}: ${evidence}`)],
  ];
}

function timeText({ time }: Identity): string | undefined {
  if (time === undefined) return undefined;
  const by = time.by === 'kernel' ? "by the machine's clock" : "by the file's header";
  return `${crashDate(time.seconds)} (${by})`;
}

function panicTaskText({ panic }: Identity): string | undefined {
  const { task, cpu, evidence } = panic;
  if (task === undefined) return undefined;
  const where = cpu === undefined ? '' : ` on CPU ${cpu}`;
  return `in ${task.comm || '?'}, process ${task.pid}${where} (${evidence})`;
}

function symbolFacts({ symbols, identity }: DumpInfo): Fact[] {
  const { package: found, debuginfod } = symbols;
  const path: Fact = ['debuginfod', debuginfod];
  if (!('name' in found)) return [['package', `unknown: ${found.why}`], path];
  const { distribution, name, version, command, file, note } = found;
  return [
    ['package', `${name}${version === undefined ? '' : ` ${version}`} (${distribution})`],
    ['package', note],
    ['command', command],
    ['vmlinux', file],
    identity.buildId === undefined ? ['build ID', 'unknown: compare the version'] : path,
  ];
}

function fileFacts({ info, fileBytes, details }: InfoView): Fact[] {
  const { pageSize, level, incomplete, notes, registers, identity } = info;
  const { memoryBytes } = identity;
  const share =
    memoryBytes === undefined
      ? ''
      : `, ${((fileBytes * 100) / memoryBytes).toFixed(1)} % of the memory`;
  const names = level === undefined ? [] : levelNames(level);
  return [
    ['size', `${humanSize(fileBytes)}${share}`],
    ['page size', `${pageSize} bytes`],
    ['whole', incomplete === undefined ? 'yes, by its headers' : `no: ${incomplete}`],
    [
      'level',
      optional(level, (bits) => `${bits}${names.length > 0 ? ` (${names.join(', ')})` : ''}`),
    ],
    ['registers', registersText(registers)],
    ['notes', notes.map(({ name, type, count }) => `${count} ${name || '-'}/${type}`).join(', ')],
    ...details.map(({ name, value }): Fact => ['details', `${name}: ${value}`]),
  ];
}

function registersText({ cpus, kinds }: DumpInfo['registers']): string {
  return cpus === 0 ? 'none' : `of ${plural(cpus, 'CPU')} (${kinds.join(', ')})`;
}

const origins = {
  note: 'a note in the file',
  memory: 'not in the file; found in the dumped memory',
  rebuilt: 'not in the file; rebuilt from what the memory gives away',
  none: 'not found',
};

function placeFacts({ kernel, architecture }: DumpInfo): Fact[] {
  const { vmcoreinfo, kaslrOffset, physBase, pagingLevels } = kernel;
  if (architecture !== 'x86_64') return [];
  return [
    ['VMCOREINFO', origins[vmcoreinfo]],
    ['KASLR', optional(kaslrOffset, (offset) => `moved by 0x${offset.toString(16)}`)],
    ['phys_base', optional(physBase, jsonAddress)],
    ['paging', optional(pagingLevels, (levels) => `${levels} levels`)],
  ];
}

function optional<T, R>(value: T | undefined, then: (value: T) => R): R | undefined {
  return value === undefined ? undefined : then(value);
}

/** Its `missing` is what could not be found out; what the dump lacks is in its data. */
export function infoEnvelope(origin: Origin, view: InfoView): Envelope {
  const { problems } = view.info;
  return {
    tsdump: origin.version,
    schema: origin.schema,
    input: origin.input,
    complete: problems.length === 0,
    missing: problems.map(({ message }) => ({ what: 'facts', count: null, why: message })),
    data: infoJson(view),
    errors: problems.map(errorJson),
  };
}

function infoJson({ info, fileBytes, details }: InfoView): Json {
  const { identity, kernel, symbols, takenBy, level } = info;
  const { package: found, debuginfod } = symbols;
  return {
    file: {
      bytes: fileBytes,
      description: info.description,
      format: info.format,
      architecture: info.architecture,
      pageSize: info.pageSize,
      level: level === undefined ? null : { bits: level, names: levelNames(level) },
      incomplete: info.incomplete ?? null,
      registers: info.registers.cpus,
      notes: info.notes.map(({ name, type, count }) => ({ name, type, count })),
      details: details.map(({ name, value }) => ({ name, value })),
    },
    machine: {
      release: identity.release ?? null,
      version: identity.version ?? null,
      machine: identity.machine,
      nodename: identity.nodename ?? null,
      banner: identity.banner ?? null,
      buildId: identity.buildId ?? null,
      time: identity.time === undefined ? null : { ...identity.time },
      uptimeSeconds: identity.uptimeSeconds ?? null,
      cpus: identity.cpus === undefined ? null : { ...identity.cpus },
      memoryBytes: identity.memoryBytes ?? null,
    },
    panic: {
      message: identity.panic.message ?? null,
      task: identity.panic.task === undefined ? null : { ...identity.panic.task },
      cpu: identity.panic.cpu ?? null,
      evidence: identity.panic.evidence ?? null,
    },
    takenBy: takenBy === undefined ? null : { ...takenBy },
    kernel: {
      vmcoreinfo: kernel.vmcoreinfo,
      kaslrOffset: kernel.kaslrOffset === undefined ? null : jsonAddress(kernel.kaslrOffset),
      physBase: kernel.physBase === undefined ? null : jsonAddress(kernel.physBase),
      pagingLevels: kernel.pagingLevels ?? null,
    },
    symbols: {
      package:
        'name' in found
          ? { ...found, version: found.version ?? null, note: found.note ?? null }
          : null,
      why: 'name' in found ? null : found.why,
      debuginfod: debuginfod ?? null,
    },
    lacks: info.lacks.map(({ what, means }) => ({ what, means })),
  };
}
