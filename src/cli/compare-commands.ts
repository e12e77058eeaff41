/** The part of the command line that compares dump methods: `compare` and `compare merge`. */

import type { Command } from 'commander';
import { methodWords } from '../capture/catalogue.ts';
import { addExamples } from './examples.ts';
import type { CompareFlags, Handlers, Settings } from './handlers.ts';
import { addInputOptions } from './input-options.ts';
import { unknownCommand } from './unknown-command.ts';

export function addCompare(program: Command, handlers: Handlers, settings: () => Settings): void {
  const node = program
    .command('compare')
    .summary('which dump method survives which crash, and how sure is that')
    .description(
      'Runs every method on the same crashes, faults and seeds, and compares what became of ' +
        'them. Each trial is a line of the results, written as soon as it is known: a campaign ' +
        'that was stopped goes on with --resume, and `tsdump capture --replay LINE` runs one ' +
        'trial again. A rate holds for the scenarios that it was measured on.',
    )
    .usage('[command] [options]')
    .helpCommand('help [command]', 'what a command does and takes')
    .allowExcessArguments();
  addInputOptions(node)
    .option('--campaign <file>', 'take what is not given here from a file: `compare init`')
    .option('--methods <names>', `with commas: ${methodWords.join(' ')} (default: all)`)
    .option(
      '--scenarios <names>',
      'with commas: all, standard, lkdtm (a grid), names, files; * stands for anything ' +
        '(default: standard)',
    )
    .option('--seeds <number>', 'how many seeds each scenario is run with (default: 20)')
    .option('--first-seed <number>', 'the first of them (default: 0)')
    .option(
      '--level <level>',
      'pages to leave out, as far as a method can: 0-31 or names (default: 31)',
    )
    .option('--machine <vmcore>', 'a dump to bring back to life in place of the images')
    .option('--jobs <number>', 'threads (default: one for each CPU)')
    .option('--shard <i/n>', 'only part i of n; `compare merge` puts the parts together')
    .option(
      '--until-width <width>',
      'seeds are at most so many: none more once every interval is as narrow as this',
    )
    .option('-o, --output <file>', 'the results (default: compare.ndjson)')
    .option('--resume', 'go on with the results of that name')
    .option('--force', 'replace results of that name');
  addReportOptions(node).action(() => {
    if (node.args.length > 0) unknownCommand(node, node.args[0]!);
    return handlers.compare({ action: 'run', flags: node.opts<CompareFlags>() }, settings());
  });
  addExamples(node, [
    ['tsdump compare', 'every method under every scenario that comes along'],
    ['tsdump compare --methods kexec,mkdump --scenarios lkdtm', 'two methods, the whole grid'],
    ['tsdump compare --resume', 'go on where it was stopped'],
    ['tsdump compare --shard 1/4 -o part-1.ndjson', 'a quarter of it, for CI'],
    ["tsdump compare --require 'mkdump.complete >= 0.95'", 'status 1 unless that is shown'],
    ['tsdump compare --baseline accepted.ndjson', 'status 1 where a method got worse'],
  ]);
  addInit(node, handlers, settings);
  addMerge(node, handlers, settings);
}

function addInit(node: Command, handlers: Handlers, settings: () => Settings): void {
  const init = node
    .command('init')
    .summary('write a campaign file to begin with')
    .description(
      'Writes a campaign file with comments: methods, scenarios, seeds, mixes and bounds, to be ' +
        'changed and checked in.',
    )
    .argument('[file]', 'its name', 'compare.yaml')
    .option('--force', 'overwrite it')
    .action((file: string) => {
      const { force } = init.opts<CompareFlags>();
      return handlers.compare({ action: 'init', file, force: force === true }, settings());
    });
  addExamples(init, [['tsdump compare init', 'compare.yaml, for `compare --campaign`']]);
}

function addMerge(node: Command, handlers: Handlers, settings: () => Settings): void {
  const merge = node
    .command('merge')
    .summary('put the results of shards together')
    .description(
      'Puts the results of the shards of one campaign together, prints the comparison, and ' +
        'writes them sorted. A trial that stands in several counts once.',
    )
    .argument('<results...>', 'what `compare -o` wrote')
    .option('--campaign <file>', 'take mixes and bounds from a campaign file')
    .option('-o, --output <file>', 'where the merged results go')
    .option('--force', 'overwrite it');
  addReportOptions(merge).action((files: string[]) => {
    return handlers.compare({ action: 'merge', files, flags: merge.opts() }, settings());
  });
  addExamples(merge, [
    ['tsdump compare merge part-1.ndjson part-2.ndjson -o all.ndjson', 'one campaign again'],
    ['tsdump compare merge all.ndjson --markdown summary.md', 'what is known, told once more'],
    ['tsdump compare merge all.ndjson --html report.html', 'the same as a page with charts'],
  ]);
}

/** What is required of a campaign, and the forms that its comparison is told in. */
function addReportOptions(node: Command): Command {
  const collect = (value: string, before: string[] = []): string[] => [...before, value];
  return node
    .option(
      '--require <bounds>',
      "shares that must hold by the interval's worse end: 'mkdump.complete >= 0.95'",
      collect,
    )
    .option('--baseline <results>', 'results that were accepted: no method may have got worse')
    .option('--json [file]', 'the whole comparison as JSON, to a file or standard output')
    .option('--junit <file>', 'gates and scenarios as JUnit XML')
    .option('--markdown <file>', 'a summary, as GitHub and GitLab show it')
    .option(
      '--html <file>',
      'a page with charts, for a browser and for paper: one file, no script',
    );
}
