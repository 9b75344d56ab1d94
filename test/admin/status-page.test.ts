import { createHash } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { escapeHtml, html } from '../../proxy/admin/html.ts';
import {
  bySoonestExpiry,
  MAX_LISTED,
  toEnforcing,
  toShownAddress,
  toStatusJson,
} from '../../proxy/admin/status-json.ts';
import { CONTENT_SECURITY_POLICY, toDistance, toStatusPage } from '../../proxy/admin/status-page.ts';
import type { RuleMode } from '../../proxy/policy/types.ts';
import { decisionRecord } from '../telemetry/fixtures.ts';
import { DAY_MS, NOW, statusWith, trustStatus } from './fixtures.ts';

const EVIL = `"><script>alert('x')</script>&`;

function policyWith(unmatched: 'deny' | 'pass', ...modes: RuleMode[]) {
  const rules = modes.map((mode, index) => ({
    name: `r${index}`,
    match: 'docker.io/**',
    mode,
    signers: undefined,
    tagList: 'signed' as const,
  }));
  return { ...statusWith().policy, unmatched, rules };
}

describe('html', () => {
  test('escapes every interpolated text, and takes no look-alike for markup', () => {
    expect(html`<b title="${EVIL}">${EVIL}</b>`.markup).toBe(
      `<b title="${escapeHtml(EVIL)}">${escapeHtml(EVIL)}</b>`,
    );
    expect(escapeHtml(EVIL)).toBe('&quot;&gt;&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;');
    expect(html`${{ markup: '<i>' }}`.markup).toBe('{&quot;markup&quot;:&quot;&lt;i&gt;&quot;}');
    expect(html`${[html`<i>${'<'}</i>`]}${undefined}`.markup).toBe('<i>&lt;</i>');
  });
});

describe('the page', () => {
  test('says when the canary was last refused', () => {
    const image = 'docker.io/team/canary:never';
    const page = (refusedAt?: Date) => toStatusPage(statusWith({ canary: { image, refusedAt } }), [], NOW);
    expect(page()).toContain(`<code>${image}</code> was not asked for since the start.`);
    expect(page(NOW)).toMatch(/was last refused at <time datetime="2026-11-21T12:00:00.000Z">/);
    expect(toStatusJson(statusWith({ canary: { image, refusedAt: NOW } }), NOW)).toMatchObject({
      canary: { image, refusedAt: NOW },
    });
  });

  test('escapes whatever a configuration, a client or a trust server wrote', () => {
    const status = statusWith({
      version: EVIL,
      revision: EVIL,
      policy: {
        ...statusWith().policy,
        hash: EVIL,
        reloadError: EVIL,
        rules: [
          {
            name: EVIL,
            match: EVIL,
            mode: 'audit',
            signers: { names: [EVIL, EVIL], count: 1 },
            tagList: 'all',
          },
        ],
      },
      canary: { image: EVIL, refusedAt: undefined },
      registries: [{ name: EVIL, upstream: EVIL, aliases: [EVIL], trustServer: EVIL }],
      trust: [{ ...trustStatus(EVIL, 1), firstToExpire: EVIL }],
    });
    const decision = decisionRecord({
      requestId: EVIL,
      registry: EVIL,
      repository: EVIL,
      reference: { kind: 'tag', text: EVIL },
      rule: EVIL,
      client: EVIL,
    });
    const page = toStatusPage(status, [decision], NOW);
    expect(page).not.toContain('<script');
    expect(page.split(escapeHtml(EVIL)).length).toBeGreaterThan(15);
  });

  test('carries the one style sheet its security policy names', () => {
    const style = /<style>(.*)<\/style>/s.exec(toStatusPage(statusWith(), [], NOW))?.[1] ?? '';
    expect(CONTENT_SECURITY_POLICY).toContain(
      `'sha256-${createHash('sha256').update(style).digest('base64')}'`,
    );
  });

  test('loads nothing and runs nothing', () => {
    const page = toStatusPage(statusWith(), [decisionRecord()], NOW);
    expect(page).not.toMatch(/<(?:script|img|link|iframe|object|form)|\son\w+=|\sstyle=|\ssrc=|url\(/i);
  });

  test('names its language, its headings, and the header cells of its tables', () => {
    const page = toStatusPage(statusWith(), [decisionRecord()], NOW);
    expect(page).toContain('<html lang="en">');
    expect(page.match(/<h1>/g)).toHaveLength(1);
    const columns = page.match(/<th\b[^>]*>/g) ?? [];
    expect(columns.length).toBeGreaterThan(10);
    expect(columns.every((cell) => cell.includes('scope="'))).toBe(true);
    for (const [, id] of page.matchAll(/aria-labelledby="([^"]+)"/g))
      expect(page).toContain(`<h2 id="${id}">`);
  });

  test('shows a refusal with its reason, and what audit would have said', () => {
    const page = toStatusPage(
      statusWith(),
      [
        decisionRecord({ result: 'deny', reason: 'unsigned_tag' }),
        decisionRecord({ mode: 'audit', reason: 'audit', would: 'signer_missing' }),
      ],
      NOW,
    );
    expect(page).toContain('<td class="bad">deny</td>');
    expect(page).toContain('unsigned_tag');
    expect(page).toContain('audit, would be signer_missing');
  });

  test('shows whether what was served was compared with its digest', () => {
    const rows = [true, false, undefined].map((compared) => {
      const record = decisionRecord({ reason: 'digest' });
      return toStatusPage(statusWith(), [compared === undefined ? record : { ...record, compared }], NOW);
    });
    expect(rows.map((page) => /<td>(digest[^<]*)<\/td>/.exec(page)?.[1])).toEqual([
      'digest, compared',
      'digest, not compared',
      'digest',
    ]);
  });

  test('says so when there is nothing to show yet', () => {
    const page = toStatusPage(statusWith({ trust: [] }), [], NOW);
    expect(page).toContain('No decision yet.');
    expect(page).toContain('No trust data was read yet.');
  });

  test('lists trust by expiry, and marks what runs out within a day and a week', () => {
    const trust = [
      trustStatus('r/late', 30),
      trustStatus('r/gone', -2),
      trustStatus('r/week', 5),
      trustStatus('r/soon', 0.5),
    ];
    const page = toStatusPage(statusWith({ trust }), [], NOW);
    const order = [...page.matchAll(/<code>(r\/\w+)<\/code><\/th><td class="(\w+)">([^(]+) \(/g)];
    expect(order.map((match) => match.slice(1))).toEqual([
      ['r/gone', 'bad', 'expired 2 days ago'],
      ['r/soon', 'bad', 'in 12 hours'],
      ['r/week', 'warn', 'in 5 days'],
      ['r/late', 'good', 'in 30 days'],
    ]);
  });

  test('shows why the configuration read last is not in force', () => {
    const policy = { ...statusWith().policy, reloadError: 'policy.rules[0].mode: unknown' };
    expect(toStatusPage(statusWith({ policy }), [], NOW)).toContain(
      'not in force: policy.rules[0].mode: unknown',
    );
  });
});

describe('enforcing', () => {
  test.each([
    ['yes', 'deny', ['enforce', 'deny']],
    ['yes', 'deny', []],
    ['partly', 'deny', ['enforce', 'audit']],
    ['partly', 'pass', ['enforce']],
    ['partly', 'deny', ['off']],
    ['no', 'pass', ['audit', 'off']],
    ['no', 'pass', []],
  ] as const)('is %s with unmatched: %s and rules %j', (answer, unmatched, modes) => {
    expect(toEnforcing(policyWith(unmatched, ...modes)).answer).toBe(answer);
  });

  test('names every hole', () => {
    const { because } = toEnforcing(policyWith('pass', 'enforce', 'audit', 'off'));
    expect(because).toHaveLength(3);
  });
});

describe('what is shown', () => {
  test('of an address never includes a user or a password', () => {
    expect(toShownAddress('https://user:secret@registry.example.com:5000/')).toBe(
      'https://registry.example.com:5000/',
    );
    expect(toShownAddress('not an address')).toBe('not an address');
  });

  test('of many repositories is the soonest, and how many there are', () => {
    const trust = Array.from({ length: MAX_LISTED + 10 }, (_, index) => trustStatus(`r/${index}`, index));
    expect(toStatusJson(statusWith({ trust }), NOW)).toMatchObject({ repositories: MAX_LISTED + 10 });
    expect(toStatusPage(statusWith({ trust }), [], NOW)).not.toContain(`r/${MAX_LISTED + 1}<`);
    expect(bySoonestExpiry(trust)[0]?.gun).toBe('r/0');
  });

  test('of a time is its largest unit', () => {
    expect(toDistance(DAY_MS)).toBe('in 1 day');
    expect(toDistance(90 * 60 * 1000)).toBe('in 1 hour');
    expect(toDistance(30_000)).toBe('in 0 minutes');
    expect(toDistance(-3 * DAY_MS)).toBe('expired 3 days ago');
  });
});
