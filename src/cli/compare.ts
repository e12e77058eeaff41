/** `tsdump compare`: runs a campaign or puts parts of one together, and tells what came of it. */

import { DumpError } from '../bytes/errors.ts';
import { type Campaign, countJobs, wholeCampaign } from '../compare/campaign.ts';
import { campaignTemplate } from '../compare/campaign-file.ts';
import { type CompareReport, isAccepted, refuseOthers, reportOf } from '../compare/report.ts';
import { parseRequirements } from '../compare/requirement.ts';
import { mergeResults, type Results } from '../compare/results.ts';
import { compareEnvelope } from '../render/compare/json.ts';
import { junitXml } from '../render/compare/junit.ts';
import { compareMarkdown } from '../render/compare/markdown.ts';
import { compareLines } from '../render/compare/text.ts';
import { type CampaignFlags, parseShard, planCampaign, withCampaignFile } from './campaign-plan.ts';
import { readResults, runCampaign, usualResults } from './compare-run.ts';
import { exitStatus } from './exit-status.ts';
import type { CompareFlags, CompareRequest, Settings } from './handlers.ts';
import type { Io } from './io.ts';
import { writeText } from './text-output.ts';
import { packageVersion } from './version.ts';

/** The result is the exit status. Throws DumpErrors. */
export async function answerCompare(
  request: CompareRequest,
  settings: Settings,
  io: Io,
): Promise<number> {
  if (request.action === 'init') return init(request, settings, io);
  const given = withCampaignFile(request.flags);
  if (request.action === 'merge') return merge(request.files, given, settings, io);
  const { flags } = given;
  const campaign = planCampaign(flags);
  const shard = parseShard(flags.shard);
  if (campaign.untilWidth !== null && shard.count > 1) {
    throw new DumpError('usage', '--until-width: a part of a campaign cannot tell when to stop');
  }
  const tell = teller(given, campaign, settings, io);
  const trials = await runCampaign(campaign, shard, flags, io);
  const input = flags.output ?? usualResults;
  return tell({ campaign, trials }, countJobs(campaign, shard), input);
}

/** Says what trials came to, in all forms that were asked for; what is wrong is known before. */
function teller(
  { flags, mixes }: CampaignFlags,
  campaign: Campaign,
  settings: Settings,
  io: Io,
): Tell {
  const requirements = (flags.require ?? []).flatMap(parseRequirements);
  refuseOthers(campaign, { mixes, requirements });
  const { baseline: file } = flags;
  const baseline = file === undefined ? undefined : { file, results: readResults(file) };
  return async (results, due, input) => {
    const report = reportOf(results, { due, mixes, requirements, baseline });
    await writeOutputs(report, input, flags, io);
    if (flags.json === true || settings.json) io.out(documentOf(report, input));
    else io.out(`${compareLines({ report, input, ...viewOf(settings, io) }).join('\n')}\n`);
    return isAccepted(report) ? exitStatus.done : exitStatus.no;
  };
}

type Tell = (
  results: Pick<Results, 'campaign' | 'trials'>,
  due: number,
  input: string,
) => Promise<number>;

function viewOf(settings: Settings, io: Io) {
  return {
    colour: io.colour ? 'colour' : 'plain',
    detail: settings.verbose ? 'all' : 'main',
    ...(io.width === undefined ? {} : { width: io.width }),
  } as const;
}

function documentOf(report: CompareReport, input: string): string {
  const origin = { version: packageVersion(), schema: 'compare/1', input };
  return `${JSON.stringify(compareEnvelope(origin, report))}\n`;
}

/** A report is made anew each time: it replaces the one of the run before. */
async function writeOutputs(
  report: CompareReport,
  input: string,
  { json, junit, markdown, html }: CompareFlags,
  io: Io,
): Promise<void> {
  const write = (file: string, text: string): void => writeText(file, text, 'overwrite', io);
  if (typeof json === 'string') write(json, documentOf(report, input));
  if (junit !== undefined) write(junit, junitXml(report));
  if (markdown !== undefined) write(markdown, compareMarkdown(report, input));
  if (html !== undefined) {
    const { compareHtml } = await import('../render/compare/html.ts');
    write(html, await compareHtml({ report, input }));
  }
}

function init(
  { file, force }: Extract<CompareRequest, { action: 'init' }>,
  { quiet }: Settings,
  io: Io,
): number {
  writeText(file, campaignTemplate, force ? 'overwrite' : 'keep', io);
  if (!quiet && file !== '-') io.out(`wrote ${file}: tsdump compare --campaign ${file}\n`);
  return exitStatus.done;
}

async function merge(
  files: readonly string[],
  given: CampaignFlags,
  settings: Settings,
  io: Io,
): Promise<number> {
  const { output, force } = given.flags;
  const merged = mergeResults(files.map((file) => ({ file, results: readResults(file) })));
  const { campaign, trials } = merged;
  const tell = teller(given, campaign, settings, io);
  if (output !== undefined) {
    const sorted = trials.lines.map((line) => JSON.stringify(line)).sort();
    const text = `${[JSON.stringify(campaign), ...sorted].join('\n')}\n`;
    writeText(output, text, force === true ? 'overwrite' : 'keep', io);
  }
  return tell(merged, countJobs(campaign, wholeCampaign), output ?? files.join(' '));
}
