/** What methods need intact of a crashed kernel, as people read it. */

import { Chalk } from 'chalk';
import type { Json } from '../analyze/command.ts';
import { humanSize, jsonAddress, plural } from '../bytes/text.ts';
import { methodWord } from '../capture/catalogue.ts';
import type { NeededBytes, Needs } from '../trial/needs.ts';
import { type Cell, shortened, tableLines, wrapped } from './lines.ts';
import { markup } from './markup.ts';
import { needsDrawing, needsMapLines } from './picture/needs-map.ts';
import { headingLength, margin, svgDocument, textLength } from './picture/svg.ts';

export interface NeedsView {
  readonly needs: readonly Needs[];
  /** As the user should recognise it. */
  readonly machine: string;
  readonly colour: 'colour' | 'plain';
  /** Of the terminal, in columns; 80. */
  readonly width?: number;
  /** `all`: every function and variable. */
  readonly detail: 'main' | 'all';
}

const narrowest = 72;
/** Types of one object each are many. */
const structuresShown = 24;

export function needsLines(view: NeedsView): string[] {
  const { needs, machine } = view;
  const width = Math.max(narrowest, view.width ?? 80);
  const chalk = new Chalk({ level: view.colour === 'colour' ? 1 : 0 });
  const introduction =
    `What a method needs intact of the crashed kernel on ${machine}, measured: every byte that ` +
    'it executes, reads or is led through by a page table. What it merely puts into the dump is ' +
    'no need.';
  const several = needs.length > 1 ? ['', ...comparison(needs, width)] : [];
  const each = needs.flatMap((one) => ['', ...oneMethod(one, { ...view, width }, chalk.bold)]);
  return [...wrapped(introduction, width), ...several, ...each];
}

function comparison(needs: readonly Needs[], width: number): string[] {
  const rows = needs.map((one) => [
    wordOf(one),
    ...byteCells(one),
    String(one.functions.length),
    String(one.structures.length),
    String(one.locks.length),
    String(one.devices.length),
  ]);
  const head = ['method', ...byteHeads, 'functions', 'types', 'locks', 'devices'];
  return tableLines(rows, { head, width, elastic: [0], right: [1, 2, 3, 4, 5, 6, 7, 8] });
}

const byteHeads = ['pages', 'code', 'tables', 'data'];

function byteCells({ pages, code, pageTable, data }: NeededBytes): string[] {
  const size = (bytes: number): string => (bytes === 0 ? '0' : humanSize(bytes));
  return [String(pages), size(code), size(pageTable), size(data)];
}

function oneMethod(
  needs: Needs,
  { width, colour, detail }: NeedsView & { readonly width: number },
  strong: (text: string) => string,
): string[] {
  const right = [1, 2, 3, 4, 5];
  const places = needs.places.map((place): Cell[] => [place.place, ...byteCells(place)]);
  const stages = needs.stages.map((stage): Cell[] => [
    stage.name,
    ...byteCells(stage),
    String(stage.functions),
  ]);
  const total = byteCells(needs);
  const list = (name: string, words: readonly string[]): string[] =>
    wrapped(`${name}: ${words.length === 0 ? 'none' : words.join(', ')}`, width, '  ');
  const structures = needs.structures.map(({ type, objects }) => `${type} (${objects})`);
  const shown = detail === 'all' ? structures : structures.slice(0, structuresShown);
  const more = structures.length - shown.length;
  return [
    strong(`${wordOf(needs)}, level ${needs.level}`),
    ...(needs.stopped === undefined ? [] : wrapped(`  stopped: ${needs.stopped}`, width, '    ')),
    ...tableLines([...places, ['together', ...total]], {
      head: ['where', ...byteHeads],
      ...{ width, elastic: [0], right },
    }),
    '',
    ...tableLines(stages, {
      head: ['stage', ...byteHeads, 'functions'],
      width,
      elastic: [0],
      right,
    }),
    '',
    ...list('structures', more > 0 ? [...shown, `${more} more`] : shown),
    ...list(
      'locks',
      needs.locks.map(({ name }) => name),
    ),
    ...list('variables', needs.variables),
    ...(detail === 'all'
      ? list('functions', needs.functions)
      : [`functions: ${plural(needs.functions.length, 'function')} (--verbose names them)`]),
    ...list('devices', needs.devices),
    '',
    ...needsMapLines(needs, { width, colour }),
  ];
}

function wordOf({ method, generation }: Needs): string {
  return methodWord(method, generation);
}

/** One picture for all of them. */
export function needsSvg(needs: readonly Needs[], machine: string): string {
  const title = `What dump methods need of the crashed kernel: ${machine}`;
  const text =
    'Bytes that a method executes, reads or is led through by page tables, in one run on the ' +
    'undamaged machine.';
  const head = markup`<text class="heading" x="${margin}" y="30">\
${shortened(title, headingLength)}</text>
<text class="soft" x="${margin}" y="54">${shortened(text, textLength)}</text>`;
  const drawings = needs.map((one) => {
    const bytes = byteCells(one);
    const counts = `code ${bytes[1]}, page tables ${bytes[2]}, data ${bytes[3]}`;
    return needsDrawing(one, `${wordOf(one)}: ${counts}`);
  });
  return svgDocument(title, head, drawings);
}

export function needsJson(all: readonly Needs[]): Json {
  return { needs: all.map(oneJson) };
}

function oneJson(needs: Needs): Json {
  const { method, generation, level, stopped, machine, pages, code, pageTable, data } = needs;
  const { release, cpus, ramBytes } = machine;
  return {
    ...{ method, generation, level, stopped: stopped ?? null },
    machine: { release: release ?? null, cpus, ramBytes },
    ...{ pages, code, pageTable, data },
    stages: needs.stages.map((stage) => ({ ...stage })),
    places: needs.places.map((place) => ({ ...place })),
    functions: needs.functions,
    structures: needs.structures.map((structure) => ({ ...structure })),
    variables: needs.variables,
    locks: needs.locks.map(({ name, address }) => ({ name, address: jsonAddress(address) })),
    devices: needs.devices,
    runs: needs.runs.map((run) => ({ ...run })),
  };
}
