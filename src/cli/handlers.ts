/** What a command line asks for, as plain data, and who answers it. */

import type { Command as AnalyzeCommand } from '../analyze/command.ts';
import type { InputFlags } from './input-options.ts';

/** The options that every command takes, anywhere on the line. */
export interface Settings {
  readonly json: boolean;
  readonly quiet: boolean;
  readonly verbose: boolean;
  readonly color: boolean;
  readonly strict: boolean;
}

export interface AnalyzeRequest {
  /** undefined: the overview, or commands from a pipe. */
  readonly command: AnalyzeCommand | undefined;
  readonly words: readonly string[];
  readonly options: Readonly<Record<string, string | boolean | undefined>>;
  /** How FILE is to be read. */
  readonly input: InputFlags;
}

/** The options of `capture` and of each method's own command as they were given. */
export interface CaptureFlags extends InputFlags {
  readonly method: string;
  readonly generation?: string;
  /** A line of a campaign's results. */
  readonly replay?: string;
  readonly scenario?: string;
  readonly fault?: readonly string[];
  readonly seed?: string;
  readonly hardware?: string;
  readonly watchdog?: string;
  readonly dumpDevice?: string;
  readonly machine?: string;
  readonly server?: string;
  readonly output?: string;
  readonly level?: string;
  readonly compress?: string;
  readonly expect?: string;
  readonly trace?: string;
  readonly picture?: string;
  readonly keepDisk?: string;
  readonly force?: boolean;
  readonly list?: boolean;
  /** Methods with commas, or `all`. */
  readonly explainNeeds?: string;
}

/** The options of `save` as they were given. */
export interface SaveFlags {
  readonly output?: string;
  readonly force?: boolean;
}

/** The options of `convert` as they were given. */
export interface ConvertFlags extends InputFlags {
  readonly to?: string;
  readonly level?: string;
  readonly compress?: string;
  readonly jobs?: string;
  readonly split?: string;
  readonly sidecar?: boolean;
  readonly lossless?: boolean;
  readonly dryRun?: boolean;
  readonly force?: boolean;
}

/** The options of `repair` as they were given. */
export interface RepairFlags extends InputFlags {
  readonly output?: string;
  readonly to?: string;
  readonly compress?: string;
  readonly force?: boolean;
}

/** The options of `serve` as they were given. */
export interface ServeFlags {
  readonly listen?: string;
  readonly dir?: string;
  readonly protocol?: string;
  readonly allow?: readonly string[];
  readonly clients?: string;
  readonly maxBytes?: string;
  readonly count?: string;
}

/** The options of `compare` as they were given. */
export interface CompareFlags extends InputFlags {
  readonly campaign?: string;
  readonly methods?: string;
  readonly scenarios?: string;
  readonly seeds?: string;
  readonly firstSeed?: string;
  readonly level?: string;
  readonly machine?: string;
  readonly jobs?: string;
  readonly shard?: string;
  readonly untilWidth?: string;
  readonly output?: string;
  readonly resume?: boolean;
  readonly force?: boolean;
  readonly require?: readonly string[];
  readonly baseline?: string;
  /** A file, or true: standard output. */
  readonly json?: string | true;
  readonly junit?: string;
  readonly markdown?: string;
  readonly html?: string;
}

export type CompareRequest =
  | { readonly action: 'run'; readonly flags: CompareFlags }
  | { readonly action: 'init'; readonly file: string; readonly force: boolean }
  | { readonly action: 'merge'; readonly files: readonly string[]; readonly flags: CompareFlags };

export type ScenarioRequest =
  | { readonly action: 'list' }
  | { readonly action: 'show'; readonly name: string }
  | { readonly action: 'check'; readonly files: readonly string[] }
  | { readonly action: 'new'; readonly file: string; readonly flags: NewScenarioFlags };

/** The options of `scenario new` as they were given. */
export interface NewScenarioFlags {
  readonly from?: string;
  readonly title?: string;
  readonly why?: string;
  readonly image?: string;
  readonly load?: string;
  readonly trigger?: string;
  readonly hardware?: string;
  readonly watchdog?: string;
  readonly fault?: readonly string[];
  readonly force?: boolean;
}

export interface InfoRequest {
  readonly files: readonly string[];
  /** How they are to be read. */
  readonly input: InputFlags;
}

export interface CheckRequest extends InfoRequest {
  readonly quick?: boolean;
  /** Where the picture goes; - is standard output. */
  readonly svg?: string;
  readonly force?: boolean;
}

/** What the words lead to. Each may be asynchronous; parsing waits for it. */
export interface Handlers {
  readonly version: string;
  out(text: string): void;
  err(text: string): void;
  welcome(): void | Promise<void>;
  analyze(request: AnalyzeRequest, settings: Settings): void | Promise<void>;
  /** `command` is the word that was used: `capture`, or a method's own. */
  capture(flags: CaptureFlags, command: string, settings: Settings): void | Promise<void>;
  /** `images`: the disks of one machine. */
  save(images: readonly string[], flags: SaveFlags, settings: Settings): void | Promise<void>;
  info(request: InfoRequest, settings: Settings): void | Promise<void>;
  serve(flags: ServeFlags, settings: Settings): void | Promise<void>;
  check(request: CheckRequest, settings: Settings): void | Promise<void>;
  /** The last of the files is the one to write. */
  convert(files: readonly string[], flags: ConvertFlags, settings: Settings): void | Promise<void>;
  repair(files: readonly string[], flags: RepairFlags, settings: Settings): void | Promise<void>;
  compare(request: CompareRequest, settings: Settings): void | Promise<void>;
  scenario(request: ScenarioRequest, settings: Settings): void | Promise<void>;
  completion(shell: string): void | Promise<void>;
}
