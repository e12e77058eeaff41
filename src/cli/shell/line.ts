/**
 * A line of commands taken apart: `ps -u | grep sshd; !date`. What stands in quotes or in
 * parentheses belongs together, so that `p (1 | 2)` and `p (a > b)` are no pipes, as in crash.
 */

/** One command of a line. */
export interface LineCommand {
  readonly text: string;
  /** What follows for /bin/sh, from its first `|` or `>`; empty: nothing. */
  readonly rest: string;
}

const quotes = '"\'';
const opening = '([';
const closing = ')]';

/** The commands between semicolons, without empty ones; # begins a comment. */
export function splitLine(line: string): string[] {
  const trimmed = line.trim();
  // Everything behind ! is the other shell's, semicolons too.
  if (trimmed.startsWith('!')) return [trimmed];
  const commands: string[] = [];
  let start = 0;
  let end = line.length;
  scan(line, (at, character) => {
    const isStart = at === 0 || /[\s;]/.test(line[at - 1]!);
    if (character === '#' && isStart) {
      end = at;
      return 'stop';
    }
    if (character !== ';') return 'go on';
    commands.push(line.slice(start, at));
    start = at + 1;
    return /^\s*!/.test(line.slice(start)) ? 'stop' : 'go on';
  });
  commands.push(line.slice(start, end));
  return commands.map((command) => command.trim()).filter((command) => command !== '');
}

/** Takes off what the output of a command is for. */
export function splitOutput(command: string): LineCommand {
  let cut = command.length;
  scan(command, (at, character) => {
    // `->` is C, and so is `a||b`.
    const isPipe = character === '|' && command[at + 1] !== '|' && command[at - 1] !== '|';
    const isFile = character === '>' && /\s/.test(command[at - 1] ?? ' ');
    if (!isPipe && !isFile) return 'go on';
    cut = at;
    return 'stop';
  });
  return { text: command.slice(0, cut).trim(), rest: command.slice(cut) };
}

/** Calls for each character outside of quotes and parentheses. */
function scan(text: string, visit: (at: number, character: string) => 'go on' | 'stop'): void {
  let quote = '';
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const character = text[at]!;
    if (quote !== '') {
      if (character === quote) quote = '';
    } else if (quotes.includes(character)) {
      // An apostrophe without a partner is no quote.
      if (text.includes(character, at + 1)) quote = character;
    } else if (opening.includes(character)) {
      depth++;
    } else if (closing.includes(character)) {
      depth = Math.max(0, depth - 1);
    } else if (depth === 0 && visit(at, character) === 'stop') {
      return;
    }
  }
}
