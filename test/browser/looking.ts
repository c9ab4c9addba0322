import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { AxeBuilder } from '@axe-core/playwright';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';

/** Debian's place; CHROMIUM names another. */
export const chromiumPath = process.env.CHROMIUM ?? '/usr/bin/chromium';
export const isChromiumHere = existsSync(chromiumPath);
/** Stands in the title of what does not run. */
export const whySkipped = isChromiumHere
  ? ''
  : ` (SKIPPED: no ${chromiumPath}: apt-get install chromium)`;

/** All pictures; those in docs/pictures are some of them: PICTURES=docs/pictures npm run test:browser */
const pictures = process.env.PICTURES ?? 'node_modules/.cache/holdfast/pictures';

export const screens = [
  'overview',
  'peers',
  'durability',
  'snapshots',
  'restore',
  'drills',
  'policy',
  'activity',
] as const;

export type Screen = (typeof screens)[number];

const flags = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** A person at a browser, and what went wrong there. */
export class Looking implements AsyncDisposable {
  readonly #browser: Browser;
  readonly #context: BrowserContext;
  readonly page: Page;
  /** Errors of scripts, of the content security policy, and requests that went elsewhere. */
  readonly problems: string[] = [];

  private constructor(browser: Browser, context: BrowserContext, page: Page) {
    this.#browser = browser;
    this.#context = context;
    this.page = page;
  }

  /** Opens the link that the command prints. */
  static async at(link: string): Promise<Looking> {
    const browser = await chromium.launch({ executablePath: chromiumPath, args: flags });
    const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
    const page = await context.newPage();
    page.setDefaultTimeout(120_000);
    const looking = new Looking(browser, context, page);
    page.on('pageerror', ({ message }) => looking.problems.push(message));
    page.on('console', (line) => {
      if (line.type() === 'error' || line.type() === 'warning') looking.problems.push(line.text());
    });
    const { origin } = new URL(link);
    page.on('request', (request) => {
      const url = request.url();
      if (!url.startsWith(origin) && !url.startsWith('blob:'))
        looking.problems.push(`asked ${url}`);
    });
    await page.goto(link);
    await page.waitForSelector('.link.live');
    return looking;
  }

  async show(screen: Screen): Promise<void> {
    const hash = screen === 'overview' ? '' : screen;
    await this.page.evaluate(`location.hash = '#/${hash}'`);
    await this.page.locator(`nav a[href="#/${hash}"][aria-current=page]`).waitFor();
    await this.page.waitForTimeout(400);
  }

  async shoot(name: string): Promise<void> {
    mkdirSync(pictures, { recursive: true });
    await this.page.screenshot({ path: join(pictures, `${name}.png`), fullPage: true });
  }

  /** What axe finds in the page as it stands, in light and in dark. */
  async violations(): Promise<string[]> {
    const found: string[] = [];
    for (const colorScheme of ['light', 'dark'] as const) {
      await this.page.emulateMedia({ colorScheme });
      const { violations } = await new AxeBuilder({ page: this.page }).analyze();
      for (const { id, help, nodes } of violations) {
        found.push(`${colorScheme}: ${id}: ${help}: ${nodes.map(({ html }) => html).join(' | ')}`);
      }
    }
    await this.page.emulateMedia({ colorScheme: 'light' });
    return found;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#context.close();
    await this.#browser.close();
  }
}
