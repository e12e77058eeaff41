/** What may stand where somebody pressed Tab: commands, options, and names that the kernel has. */

import { builtinAliases, expandAlias } from '../../analyze/alias.ts';
import type { Command, NameKind } from '../../analyze/command.ts';
import { commands } from '../../analyze/table.ts';
import { listTasks } from '../../analyze/tasks.ts';
import { attempt } from '../../bytes/errors.ts';
import { type CType, targetOf, typeOfRef } from '../../linux/expression/ctype.ts';
import { evaluate } from '../../linux/expression/evaluate.ts';
import type { Kernel } from '../../linux/kernel.ts';
import type { TypeTable } from '../../linux/types.ts';
import type { Session } from '../session.ts';
import { splitOutput } from './line.ts';

/** More are counted, not listed. */
const mostShown = 200;

/** Names that fit, and the end of the line that they would replace: what readline asks for. */
export type Completions = [names: readonly string[], replaced: string];

export function completions(session: Session, line: string): Completions {
  const start = line.lastIndexOf(';') + 1;
  const command = line.slice(start).trimStart();
  const { rest } = splitOutput(command);
  if (rest !== '' || /^\s*!/.test(line)) return [[], ''];
  // The word under the cursor is empty behind a blank.
  return fitting(session, command.split(/\s+/));
}

function fitting(session: Session, words: readonly string[]): Completions {
  const word = words.at(-1)!;
  const [first = ''] = words;
  const aliases = [...builtinAliases.keys(), ...(session.context.aliases?.keys() ?? [])];
  if (words.length === 1) {
    // As in crash, the name of a struct may stand for `struct` with it.
    if (word.includes('.')) return fitting(session, ['struct', word]);
    return limited([...commandNames(), ...aliases, 'help', 'exit'], word);
  }
  if (first === 'help') return limited(commandNames(), word);
  const command = commands.find(({ name }) => name === first);
  if (command === undefined) {
    const meant = expandAlias(session.context.aliases, first).split(' ');
    const isKnown = [...commandNames(), 'help'].includes(meant[0]!);
    return isKnown ? fitting(session, [...meant, ...words.slice(1)]) : [[], word];
  }
  const inner = command.wraps !== 'command' ? -1 : innerIndex(words);
  if (inner > 0) return fitting(session, words.slice(inner));
  if (word.startsWith('-')) return limited(optionNames(command), word);
  const found = (command.operands?.names ?? []).map((kind) => {
    // An expression may have blanks in it.
    return namesOf(session.kernel, kind, kind === 'expression' ? words.slice(1).join(' ') : word);
  });
  found.push([command.operands?.words ?? [], word]);
  if (command.wraps !== undefined) found.push([commandNames(), word]);
  // Kinds may differ in what of the word is a name: the first that knows any decides.
  const [, typed = word] =
    found.find(([names, part]) => {
      return names.some((name) => name.startsWith(part));
    }) ?? [];
  const names = found.flatMap(([some, part]) => (part === typed ? some : []));
  return limited(names, typed);
}

function commandNames(): string[] {
  return commands.map(({ name }) => name);
}

/** Of the command within `foreach ... COMMAND ...`, if it is complete. */
function innerIndex(words: readonly string[]): number {
  return words.findIndex(
    (word, at) => at > 0 && at < words.length - 1 && commands.some(({ name }) => name === word),
  );
}

function optionNames({ options }: Command): string[] {
  const own = options.flatMap(({ flags }) => flags.replace(/<.*$/, '').split(/,\s*/));
  return [...own, '--json', '--quiet', '--strict', '--help'].map((name) => name.trim());
}

/** The names, and the part of the word that they would replace. */
function namesOf(kernel: Kernel, kind: NameKind, word: string): Completions {
  switch (kind) {
    case 'task':
      return [attempt(() => listTasks(kernel).entries.flatMap(taskWords)) ?? [], word];
    case 'module':
      return [attempt(() => kernel.modules.modules.map(({ name }) => name)) ?? [], word];
    case 'symbol':
      return [startingWith(symbolNames(kernel), word), word];
    case 'type':
      return typeNames(kernel, word);
    case 'expression':
      return expressionNames(kernel, word);
  }
}

function taskWords({ pid, comm }: { readonly pid: number; readonly comm: string }): string[] {
  return /^[\w/.:-]+$/.test(comm) ? [String(pid), comm] : [String(pid)];
}

function* symbolNames(kernel: Kernel): Generator<string> {
  for (const { name } of attempt(() => kernel.symbols)?.all() ?? []) yield name;
}

function startingWith(names: Iterable<string>, start: string): string[] {
  const found = new Set<string>();
  for (const name of names) if (name.startsWith(start)) found.add(name);
  return [...found];
}

/** `task_struct.se.lo`: members behind a dot; several are separated by commas. */
function typeNames(kernel: Kernel, word: string): Completions {
  const types = attempt(() => kernel.types);
  if (types === undefined) return [[], word];
  const dot = word.indexOf('.');
  if (dot < 0) return [startingWith(types.names(), word), word];
  const path = word.slice(Math.max(dot, word.lastIndexOf(',')) + 1);
  const at = path.lastIndexOf('.');
  const of = attempt(() => {
    const tag = word.slice(0, dot);
    const ref = types.find(`struct ${tag}`) ?? types.find(`union ${tag}`) ?? types.get(tag);
    if (at < 0) return typeOfRef(ref);
    const outer = types.memberOf(types.resolve(ref), path.slice(0, at));
    return outer === undefined ? undefined : typeOfRef(outer.type);
  });
  return [of === undefined ? [] : memberNames(types, of), path.slice(at + 1)];
}

/** Of a struct or union, or of what a pointer points to. */
function memberNames(types: TypeTable, type: CType): string[] {
  const { base, stars } = targetOf(types, type) ?? type;
  const known = stars > 0 ? undefined : types.resolve(base);
  return known?.kind === 'struct' ? [...known.members.keys()] : [];
}

/** `init_task.mm->pg`: a member of what stands before it, else a symbol or a type. */
function expressionNames(kernel: Kernel, word: string): Completions {
  const [, before, part = ''] = /^(.*)(?:->|\.)(\w*)$/.exec(word) ?? [];
  if (before !== undefined) {
    const names = attempt(() => {
      return memberNames(kernel.types, evaluate(kernel, operandAtEnd(before)).type);
    });
    return [names ?? [], part];
  }
  const name = /\w*$/.exec(word)![0];
  if (name === '') return [[], name];
  const types = attempt(() => kernel.types);
  const names = [...startingWith(symbolNames(kernel), name)];
  return [[...names, ...startingWith(types?.names() ?? [], name)], name];
}

/** The operand that ends a text: `1 + init_task.mm` gives `init_task.mm`, with its parentheses. */
function operandAtEnd(text: string): string {
  let depth = 0;
  let at = text.length;
  while (at > 0) {
    const character = text[at - 1]!;
    if (')]'.includes(character)) depth++;
    else if ('(['.includes(character)) depth--;
    const isPart = depth > 0 || /[\w.>)\][(]/.test(character) || text.endsWith('->', at + 1);
    if (depth < 0 || !isPart) break;
    at--;
  }
  return text.slice(at);
}

/** Where there are too many, only what they have in common. */
function limited(names: readonly string[], word: string): Completions {
  const fit = [...new Set(names)].filter((name) => name.startsWith(word)).sort();
  // Nothing else fits: the next word may begin.
  if (fit.length === 1) return [[`${fit[0]} `], word];
  if (fit.length <= mostShown) return [fit, word];
  const common = commonStart(fit);
  if (common.length > word.length) return [[common], word];
  return [[...fit.slice(0, mostShown), `${word}... ${fit.length - mostShown} more`], word];
}

function commonStart(sorted: readonly string[]): string {
  const [first, last] = [sorted[0]!, sorted.at(-1)!];
  let length = 0;
  while (length < first.length && first[length] === last[length]) length++;
  return first.slice(0, length);
}
