/**
 * Manual pages from the tree of commands: the words of `--help` in the layout of man(7). Source:
 * man-pages(7), "Sections within a manual page".
 */

import type { Command } from 'commander';
import { outputOf } from './example-output.ts';
import { type Example, examplesOf } from './examples.ts';
import { exitStatusTable } from './exit-status.ts';

/** File name (`tsdump-analyze-ps.1`) to contents, of `program` and every command below it. */
export function manualPages(program: Command, version: string): Map<string, string> {
  const pages = new Map<string, string>();
  const visit = (command: Command, names: readonly string[]): void => {
    pages.set(`${names.join('-')}.1`, page(command, names, version));
    for (const child of command.commands) visit(child, [...names, child.name()]);
  };
  visit(program, [program.name()]);
  return pages;
}

function page(command: Command, names: readonly string[], version: string): string {
  const help = command.createHelp();
  const title = names.join('-');
  const lines = [
    '.\\" Made by `npm run man` from the tree of commands. Do not edit.',
    `.TH ${title.toUpperCase()} 1 "" "tsdump ${version}" "tsdump"`,
    '.SH NAME',
    `${title} \\- ${roff(command.summary() || 'captures and analyses kernel crash dumps')}`,
    '.SH SYNOPSIS',
    `.B ${roff(help.commandUsage(command))}`,
    '.SH DESCRIPTION',
    ...paragraphs(command.description()),
  ];
  const section = (name: string, terms: readonly (readonly [string, string])[]): void => {
    if (terms.length === 0) return;
    lines.push(`.SH ${name}`);
    for (const [term, text] of terms) lines.push('.TP', `.B ${roff(term)}`, roff(text));
  };
  section(
    'ARGUMENTS',
    help.visibleArguments(command).map((argument) => [argument.name(), argument.description]),
  );
  section(
    'COMMANDS',
    help.visibleCommands(command).map((child) => [child.name(), help.subcommandDescription(child)]),
  );
  section(
    'OPTIONS',
    help.visibleOptions(command).map((option) => [option.flags, option.description]),
  );
  section(
    'GLOBAL OPTIONS',
    help.visibleGlobalOptions(command).map((option) => [option.flags, option.description]),
  );
  const examples = examplesOf(command);
  if (examples.length > 0) lines.push('.SH EXAMPLES', ...examples.flatMap(exampleLines));
  if (names.length === 1) section('EXIT STATUS', exitStatusTable);
  section('SEE ALSO', [['crash(8), makedumpfile(8), kexec(8)', 'the tools of the field']]);
  return `${lines.join('\n')}\n`;
}

/** With what it prints, in lines as they are. */
function exampleLines([words, meaning]: Example): string[] {
  const lines = ['.TP', `.B ${roff(words)}`, roff(meaning)];
  const output = outputOf(words);
  if (output.length > 0) lines.push('.IP', '.nf', ...output.map(roff), '.fi');
  return lines;
}

function paragraphs(text: string): string[] {
  return text.split('\n\n').flatMap((paragraph) => ['.PP', roff(paragraph)]);
}

/** A line that starts with a dot or a quote is a request, a backslash an escape, - a hyphen. */
function roff(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replace(/^([.'])/, '\\&$1');
}
