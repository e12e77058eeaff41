/**
 * What may stand at the end of a command line: for the completion of a shell. Everything is read
 * off the tree of commands; a dump is never opened.
 */

import type { Command, Option } from 'commander';
import { commands } from '../../analyze/table.ts';
import { type Candidate, type Completion, operandValues, optionValues } from './values.ts';

/** Where on the line we are. */
interface Place {
  readonly node: Command;
  /** The FILE of `analyze` is still to come. */
  readonly needsFile: boolean;
  readonly operands: number;
  /** Whose value comes next. */
  readonly option: Option | undefined;
  /** `help` stands before, or --. */
  readonly after: 'help' | 'dashes' | undefined;
}

/** `words` are those behind `tsdump`; the last, perhaps empty, is to be completed. */
export async function complete(program: Command, words: readonly string[]): Promise<Completion> {
  const word = words.at(-1) ?? '';
  // bash asks for what stands behind a redirection as well.
  if (/^\d*(?:[<>]|>>|>\|)$/.test(words.at(-2) ?? '')) return { candidates: [], files: [] };
  const place = placeOf(program, words.slice(0, -1));
  const { candidates, ...rest } = await allAt(program, place, word);
  const fit = candidates.filter(({ value }) => value.startsWith(word));
  return { candidates: fit, ...rest };
}

function placeOf(program: Command, words: readonly string[]): Place {
  let place: Place = {
    node: program,
    needsFile: false,
    operands: 0,
    option: undefined,
    after: undefined,
  };
  for (const word of words) place = behind(program, place, word);
  return place;
}

function behind(program: Command, place: Place, word: string): Place {
  const { node, operands, option, after } = place;
  if (option !== undefined && !(option.optional && isOption(word))) {
    return { ...place, option: undefined };
  }
  const here = { ...place, option: undefined };
  if (after === 'dashes') return here;
  if (word === '--') return { ...here, after: 'dashes' };
  if (isOption(word)) return { ...here, option: valuedOption(program, node, word) };
  if (place.needsFile) return { ...here, needsFile: false };
  const child = node.commands.find((one) => one.name() === word) ?? wrapped(node, word);
  if (child !== undefined && after === undefined && (operands === 0 || isLeaf(node))) {
    return { ...here, node: child, needsFile: child.name() === 'analyze', operands: 0 };
  }
  if (word === 'help' && operands === 0 && !isLeaf(node)) return { ...here, after: 'help' };
  return { ...here, operands: operands + 1 };
}

function isOption(word: string): boolean {
  return /^-./.test(word);
}

function isLeaf(node: Command): boolean {
  return node.commands.length === 0;
}

/** `foreach user bt`: another command of analyze begins within the words of this one. */
function wrapped(node: Command, word: string): Command | undefined {
  if (commandOf(node)?.wraps !== 'command') return undefined;
  return node.parent!.commands.find((one) => one.name() === word);
}

function commandOf(node: Command): (typeof commands)[number] | undefined {
  if (node.parent?.name() !== 'analyze') return undefined;
  return commands.find(({ name }) => name === node.name());
}

/** The option, where a word behind it is its value. */
function valuedOption(program: Command, node: Command, word: string): Option | undefined {
  const option = [...node.options, ...program.options].find(({ short, long }) => {
    return word === short || word === long;
  });
  return option?.required || option?.optional ? option : undefined;
}

async function allAt(program: Command, place: Place, word: string): Promise<Completion> {
  const { node, needsFile, operands, option, after } = place;
  if (option !== undefined && !(option.optional && isOption(word))) {
    return optionValues(node, option, word);
  }
  if (after === 'help') return { candidates: childrenOf(node) };
  if (after === 'dashes') return { candidates: [], files: [] };
  if (word.startsWith('-')) {
    const [, name, typed] = /^(--[\w-]+)=(.*)$/s.exec(word) ?? [];
    if (name === undefined) return { candidates: optionsOf(program, node) };
    const valued = valuedOption(program, node, name);
    if (valued === undefined) return { candidates: [] };
    const found = await optionValues(node, valued, typed!);
    const candidates = found.candidates.map(({ value, meaning }) => {
      return { value: `${name}=${value}`, meaning };
    });
    return { ...found, candidates };
  }
  if (needsFile) return { candidates: [], files: [] };
  if (!isLeaf(node)) return { candidates: operands === 0 ? childrenOf(node) : [] };
  const command = commandOf(node);
  if (command === undefined) return operandValues(node, word);
  const known = (command.operands?.words ?? []).map((value) => ({ value, meaning: '' }));
  return { candidates: command.wraps === undefined ? known : [...known, ...inner(node)] };
}

/** What `foreach` and `alias` may have behind them. */
function inner(node: Command): Candidate[] {
  return childrenOf(node.parent!).filter(({ value }) => value !== 'help');
}

function childrenOf(node: Command): Candidate[] {
  const help = node.createHelp();
  return help.visibleCommands(node).map((child) => {
    return { value: child.name(), meaning: help.subcommandDescription(child) };
  });
}

/** Long names only: those of one letter are for hands that know them. */
function optionsOf(program: Command, node: Command): Candidate[] {
  const all = node === program ? program.options : [...node.options, ...program.options];
  const options = all.map(({ long, description }) => ({ value: long!, meaning: description }));
  return [...options, { value: '--help', meaning: 'print the help' }];
}
