/**
 * A program at a pseudo-terminal, and what a person would see of it. `script` of util-linux makes
 * the terminal, xterm's own parser reads what is written to it.
 */

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import headless from '@xterm/headless';

export const haveTerminal = spawnSync('script', ['--version']).status === 0;

const columns = 80;
const rows = 24;
const patienceMs = 30_000;

export class TestTerminal {
  readonly #child;
  readonly #screen = new headless.Terminal({ cols: columns, rows, allowProposedApi: true });
  readonly #waiting = new Set<() => void>();
  /** How often it beeped. */
  #bells = 0;
  /** Null as long as it runs. */
  status: number | null = null;

  constructor(words: readonly string[], env: Readonly<Record<string, string>>) {
    const quoted = words.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ');
    const command = `stty rows ${rows} cols ${columns}; exec ${quoted}`;
    this.#child = spawn('script', ['-qefc', command, '/dev/null'], {
      env: { ...process.env, TERM: 'xterm', ...env },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.#screen.onBell(() => this.#bells++);
    this.#child.stdout.on('data', (bytes: Uint8Array) => {
      this.#screen.write(bytes, () => {
        for (const look of this.#waiting) look();
      });
    });
    this.#child.on('close', (status) => {
      this.status = status;
      for (const look of this.#waiting) look();
    });
  }

  /** Everything that is on the screen or was scrolled off it, line by line. */
  get text(): string {
    const { buffer } = this.#screen;
    const lines = Array.from({ length: buffer.active.length }, (_, at) => {
      return buffer.active.getLine(at)?.translateToString(true) ?? '';
    });
    return lines.join('\n').trimEnd();
  }

  type(keys: string): void {
    this.#child.stdin.write(keys);
  }

  /** Waits until the text fits; what is awaited must be new, as old lines stay on the screen. */
  async shows(what: RegExp): Promise<void> {
    await this.#until(() => what.test(this.text), `${what}`);
  }

  /** Presses Tab for what it can complete no further: readline beeps, and then lists. */
  async tabTwice(): Promise<void> {
    const before = this.#bells;
    this.type('\t');
    await this.#until(() => this.#bells > before, 'bell');
    this.type('\t');
  }

  async ends(): Promise<number> {
    if (this.status === null) await once(this.#child, 'close');
    return this.status!;
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  async #until(isTrue: () => boolean, what: string): Promise<void> {
    if (isTrue()) return;
    await new Promise<void>((resolve, reject) => {
      const done = (end: () => void): void => {
        this.#waiting.delete(look);
        clearTimeout(timer);
        end();
      };
      const look = (): void => {
        if (isTrue()) done(resolve);
        else if (this.status !== null) {
          done(() => reject(new Error(`ended before ${what}\n${this.text}`)));
        }
      };
      const late = (): void => {
        done(() => reject(new Error(`no ${what} in\n${this.text}`)));
      };
      const timer = setTimeout(late, patienceMs);
      this.#waiting.add(look);
    });
  }
}
