/** What a browser makes of a page. */

import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

export interface SeenPage {
  readonly title: string;
  readonly headings: readonly string[];
  /** Caption, header cells of columns and of rows, other cells. */
  readonly tables: readonly {
    readonly caption: string;
    readonly columns: number;
    readonly rows: number;
    readonly cells: number;
  }[];
  readonly charts: readonly {
    readonly title: string;
    readonly width: number;
    readonly hover: readonly string[];
  }[];
  readonly commands: readonly string[];
  /** Elements that have no business in it. */
  readonly foreign: number;
  /** What was asked for besides the page itself. */
  readonly requests: readonly string[];
  /** Set by a script of the page. */
  readonly ran: boolean;
  /** Wider than the window. */
  readonly overflows: boolean;
  /** Of the ground: light or dark. */
  readonly ground: string;
}

const site = 'http://page.example';

const look = `
  const frame = document.querySelector('iframe');
  const page = frame.contentDocument;
  const all = (selector, from = page) => [...from.querySelectorAll(selector)];
  const text = (element) => element?.textContent ?? '';
  return {
    title: page.title,
    headings: all('h1, h2').map(text),
    tables: all('table').map((table) => ({
      caption: text(table.caption),
      columns: all('th[scope=col]', table).length,
      rows: all('th[scope=row]', table).length,
      cells: all('td', table).length,
    })),
    charts: all('svg[role=img]').map((svg) => ({
      title: text(page.getElementById(svg.getAttribute('aria-labelledby').split(' ')[0])),
      width: svg.getBoundingClientRect().width,
      hover: all('path > title', svg).map(text),
    })),
    commands: all('details pre').map(text),
    foreign: all('script, img, iframe, object, embed, link, form, b, [onerror], [onload]').length,
    ran: frame.contentWindow.ran === true || window.ran === true,
    overflows: page.documentElement.scrollWidth > page.documentElement.clientWidth,
    ground: frame.contentWindow.getComputedStyle(page.body).backgroundColor,
  };`;

export interface Window {
  readonly scripts: 'off' | 'on';
  readonly width: number;
}

/**
 * Opens a page in a frame: that can be without scripts and be asked from outside. A server stands
 * for all hosts there are, so that nothing is asked for unseen.
 */
export async function seenIn(
  chromium: string,
  html: string,
  { scripts, width }: Window,
): Promise<SeenPage> {
  const sandbox = `allow-same-origin${scripts === 'on' ? ' allow-scripts' : ''}`;
  const outside = `<!DOCTYPE html><meta charset="utf-8"><link rel="icon" href="data:,"><body>
<iframe sandbox="${sandbox}" src="/page" width="${width}" height="900" style="border:0"></iframe>
<script>
document.querySelector('iframe').onload = () => {
  const seen = (() => {${look}})();
  document.body.textContent = 'seen:' + encodeURIComponent(JSON.stringify(seen)) + ':seen';
};
</script>`;
  const served = new Map([
    ['/outside', outside],
    ['/page', html],
  ]);
  const requests: string[] = [];
  const server = createServer(({ url = '', headers }, response) => {
    const text = served.get(url);
    // A browser asks for updates of itself as well; that is of no page.
    const isOfPage = headers.referer?.startsWith(site) === true;
    if (text === undefined && isOfPage) requests.push(`${headers.host}${url}`);
    response.writeHead(text === undefined ? 404 : 200, { 'content-type': 'text/html' });
    response.end(text);
  });
  const folder = mkdtempSync(join(tmpdir(), 'tsdump-page-'));
  try {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const words = ['--headless', '--no-sandbox', '--disable-gpu', `--user-data-dir=${folder}`];
    const hosts = `--host-resolver-rules=MAP * 127.0.0.1:${port}`;
    const { stdout } = await promisify(execFile)(
      chromium,
      [...words, hosts, '--dump-dom', `${site}/outside`],
      { maxBuffer: 64 * 1024 * 1024, timeout: 60_000 },
    );
    const [, found] = /seen:(.*?):seen/.exec(stdout) ?? [];
    if (found === undefined) throw new Error(`the page was not seen: ${stdout.slice(0, 200)}`);
    return { ...(JSON.parse(decodeURIComponent(found)) as SeenPage), requests };
  } finally {
    server.closeAllConnections();
    server.close();
    rmSync(folder, { recursive: true, force: true });
  }
}
