/** What a conversion did, or would do, for people and programs. */

import type { CompressionName } from '../codec/types.ts';
import type { PageCounts } from './convert.ts';
import type { Loss } from './facts.ts';
import type { LevelForecast } from './forecast.ts';

export interface KeptLoss extends Loss {
  /** The file beside that has it; undefined where it is lost. */
  readonly keptIn: string | undefined;
}

export interface ConvertReport {
  /** Empty for a dry run that names none; `-` is standard output. */
  readonly outputs: readonly string[];
  /** What the source is, in a line. */
  readonly source: string;
  readonly format: string;
  readonly compression: CompressionName;
  readonly flattened: boolean;
  readonly level: number;
  readonly pages: PageCounts;
  readonly pageSize: number;
  /** Undefined for a dry run. */
  readonly written:
    | {
        /** Bytes of all files. */
        readonly bytes: number;
        /** What of them is no hole. */
        readonly onDisk: number;
        readonly pages: number;
        readonly zeroPages: number;
        readonly unreadable: number;
      }
    | undefined;
  /** Of a dry run: what files of this kind would take by level. */
  readonly forecast: readonly LevelForecast[];
  readonly losses: readonly KeptLoss[];
  readonly remarks: readonly string[];
  /** Why the source is not whole. */
  readonly incomplete: string | undefined;
  /** The files beside: which memory it is, and what the format has no place for. */
  readonly ranges: string | undefined;
  readonly sidecar: string | undefined;
}
