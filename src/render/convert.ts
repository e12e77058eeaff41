/** What a conversion did: lines for people, the document for programs. */

import type { Json } from '../analyze/command.ts';
import { humanSize, plural, printable, shellWord } from '../bytes/text.ts';
import type { LevelForecast } from '../convert/forecast.ts';
import type { ConvertReport } from '../convert/report.ts';
import { dataEnvelope, type Envelope, type Origin } from './envelope.ts';
import { wrapped } from './lines.ts';

/** At most so many remarks are listed; the rest is counted. */
const remarksShown = 12;

/** The last line is the next command, where a file came out that can be opened. */
export function convertLines(report: ConvertReport, width: number): string[] {
  const { incomplete } = report;
  const lines = [...headLines(report), ...remarkLines(report.remarks), ...lossLines(report)];
  lines.push(...report.forecast.map(forecastLine));
  if (incomplete !== undefined) lines.push(`the source is not whole: ${incomplete}`);
  const unreadable = report.written?.unreadable ?? 0;
  if (unreadable > 0) {
    lines.push(`${plural(unreadable, 'page')} could not be read: the file says incomplete`);
  }
  const next = nextCommand(report);
  if (next !== undefined) lines.push(`next: ${next}`);
  return lines.flatMap((line) => wrapped(printable(line), width, '  '));
}

function headLines(report: ConvertReport): string[] {
  const { outputs, pages, pageSize, written, source } = report;
  const memory = pages.kept * pageSize;
  const left = pages.excluded === 0 ? '' : `; ${pages.excluded} left out by filters`;
  const what = `${plural(pages.kept, 'page')}, ${humanSize(memory)} of memory`;
  const kind = `${kindOf(report)}; from ${source}`;
  if (written === undefined) return [`would write ${kind}`, `${what}${left}`];
  const share = (written.bytes * 100) / Math.max(1, memory);
  const percent = written.bytes > memory ? '' : ` (${share.toFixed(0)} %)`;
  return [
    `${outputs.join(' ')}: ${kind}`,
    `${what}, in ${humanSize(written.bytes)}${percent}${left}`,
  ];
}

function kindOf(report: ConvertReport): string {
  const { compression, flattened, level } = report;
  const packed = compression === 'none' ? '' : `, ${compression}`;
  const flat = flattened ? ', flattened' : '';
  return `${nameOf(report)}${packed}${flat}${level === 0 ? '' : `, level ${level}`}`;
}

function nameOf({ format }: ConvertReport): string {
  return format === 'lime' ? 'LiME' : format.toUpperCase();
}

function remarkLines(remarks: readonly string[]): string[] {
  const rest = remarks.length - remarksShown;
  return [...remarks.slice(0, remarksShown), ...(rest > 0 ? [`and ${rest} more (--json)`] : [])];
}

function forecastLine({ level, pages, bytes }: LevelForecast): string {
  const between = `${humanSize(bytes.low)} to ${humanSize(bytes.high)}`;
  return `level ${level}: ${pages.likely} pages, about ${humanSize(bytes.likely)} (${between})`;
}

/** A line for each place that has some of it. */
function lossLines(report: ConvertReport): string[] {
  const byPlace = new Map<string, string[]>();
  for (const { what, keptIn } of report.losses) {
    const place = keptIn === undefined ? 'lost' : `kept in ${keptIn}`;
    byPlace.set(place, [...(byPlace.get(place) ?? []), what]);
  }
  return [...byPlace].map(([place, all]) => {
    return `${nameOf(report)} has no place for ${all.join('; ')}: ${place}`;
  });
}

function nextCommand({ outputs, written, ranges, format }: ConvertReport): string | undefined {
  const [output] = outputs;
  // analyze opens one file; nobody knows where standard output went.
  if (written === undefined || outputs.length !== 1 || output === '-') return undefined;
  const words = ['tsdump analyze', shellWord(output!)];
  if (format === 'raw' && ranges === undefined) words.push('--format raw');
  return words.join(' ');
}

export function convertEnvelope(origin: Origin, report: ConvertReport): Envelope {
  const { outputs, pages, pageSize, written, losses, incomplete } = report;
  const unreadable = written?.unreadable ?? 0;
  const missing = [
    ...(unreadable > 0
      ? [{ what: 'pages', count: unreadable, why: 'they could not be read' }]
      : []),
    ...(incomplete === undefined ? [] : [{ what: 'dump', count: null, why: incomplete }]),
  ];
  const data: Json = {
    output: [...outputs],
    source: report.source,
    format: report.format,
    compression: report.compression,
    flattened: report.flattened,
    level: report.level,
    pageSize,
    pages: { kept: pages.kept, excluded: pages.excluded, missing: pages.missing },
    written: written === undefined ? null : { ...written },
    forecast: report.forecast.map(({ level, pages: kept, bytes }) => ({
      level,
      pages: { ...kept },
      bytes: { ...bytes },
    })),
    losses: losses.map(({ fact, what, keptIn }) => ({ fact, what, keptIn: keptIn ?? null })),
    remarks: [...report.remarks],
    ranges: report.ranges ?? null,
    sidecar: report.sidecar ?? null,
  };
  return dataEnvelope(origin, data, missing);
}
