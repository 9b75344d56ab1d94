/**
 * The status page: one HTML document without scripts or anything from elsewhere, for a person who wants to know
 * whether signatures are enforced, what was refused and why, and which trust data runs out next.
 */
import { createHash } from 'node:crypto';
import type { Rule, SignerRequirement } from '../policy/types.ts';
import type { DecisionRecord } from '../telemetry/decisions.ts';
import type { TrustStatus } from '../telemetry/trust-status.ts';
import { type Html, html } from './html.ts';
import { bySoonestExpiry, MAX_LISTED, toEnforcing, toShownAddress } from './status-json.ts';
import type { CanaryStatus, PolicyStatus, RegistryStatus, Status } from './types.ts';

/** Trust that runs out within this time is marked, in milliseconds: peers.md §9.4 pages for a day, files a ticket for seven. */
const URGENT_MS = 24 * 60 * 60 * 1000;
const SOON_MS = 7 * URGENT_MS;

const STYLE = html`
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }
body { margin: 0 auto; padding: 1rem 1.5rem 3rem; max-width: 76rem }
h1 { margin: 0 } h2 { margin: 2rem 0 .5rem; font-size: 1.2rem }
.scroll { overflow-x: auto }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; vertical-align: top; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid #8886 }
td { overflow-wrap: anywhere }
code { font: .9em ui-monospace, monospace }
.note { opacity: .8 }
.good { color: light-dark(#14662b, #7fd397) } .warn { color: light-dark(#7a4b00, #f0b95a) }
.bad { color: light-dark(#a3141c, #ff9a94) } .good, .warn, .bad { font-weight: 600 }
.skip { position: absolute; left: -99rem } .skip:focus { left: 1rem }
`;

/** No script, frame, form or foreign resource; the one style sheet is named by its hash. */
export const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  `style-src 'sha256-${createHash('sha256').update(STYLE.markup).digest('base64')}'`,
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

export function toStatusPage(status: Status, decisions: readonly DecisionRecord[], now: Date): string {
  const { version, revision, policy, canary, registries, trust, startedAt } = status;
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Pullwarden status</title>
<style>${STYLE}</style>
</head>
<body>
<a class="skip" href="#decisions">Skip to recent decisions</a>
<header>
<h1>Pullwarden</h1>
<p class="note">version ${version}${revision === '' ? '' : ` (${revision})`}, running since ${time(startedAt)}, shown at ${time(now)}.
The same as JSON: <a href="api/status">status</a>, <a href="api/decisions">decisions</a>. <a href="metrics">Metrics</a>, <a href="readyz">readiness</a>.</p>
</header>
<main>
${enforcingSection(policy, canary)}
${decisionsSection(decisions)}
${trustSection(trust, now)}
${rulesSection(policy)}
${registriesSection(registries)}
</main>
</body>
</html>
`.markup;
}

function enforcingSection(policy: PolicyStatus, { image, refusedAt }: CanaryStatus): Html {
  const { answer, because } = toEnforcing(policy);
  const verdict = {
    yes: html`<p class="good">Yes: only signed tags get through.</p>`,
    partly: html`<p class="warn">Partly: some unsigned tags get through.</p>`,
    no: html`<p class="bad">No: unsigned tags get through.</p>`,
  }[answer];
  return html`<section aria-labelledby="enforcing"><h2 id="enforcing">Enforcing?</h2>
${verdict}${because.length === 0 ? undefined : html`<ul>${because.map((text) => html`<li>${text}</li>`)}</ul>`}
<p>Policy <code>${policy.hash}</code>, in force since ${time(policy.loadedAt)}.
The canary <code>${image}</code> was ${refusedAt === undefined ? 'not asked for since the start' : html`last refused at ${time(refusedAt)}`}.</p>
${policy.reloadError === undefined ? undefined : html`<p class="bad">The configuration read last is not in force: ${policy.reloadError}</p>`}
</section>`;
}

function decisionsSection(decisions: readonly DecisionRecord[]): Html {
  const columns = ['Time', 'Image', 'Result', 'Reason', 'Rule', 'Trust', 'Client', 'Request'];
  return section('decisions', 'Recent decisions', columns, decisions.map(decisionRow), 'No decision yet.');
}

function decisionRow(record: DecisionRecord): Html {
  const { reference, result, would, compared, identity } = record;
  const image = `${record.registry}/${record.repository}${reference.kind === 'tag' ? ':' : '@'}${reference.text}`;
  const level = { allow: 'good', deny: 'bad', error: 'warn' }[result];
  return html`<tr><td>${time(record.at)}</td><td><code>${image}</code></td><td class="${level}">${result}</td>
<td>${record.reason}${would === undefined ? '' : `, would be ${would}`}${toComparedText(compared)}</td><td>${record.rule} (${record.mode})</td><td>${record.path}</td>
<td>${record.client}${identity === undefined ? '' : ` (${identity})`}</td><td><code>${record.requestId}</code></td></tr>`;
}

function trustSection(trust: readonly TrustStatus[], now: Date): Html {
  const columns = ['Repository', 'Expires', 'Role that expires first', 'Last verified', 'Versions'];
  const rows = bySoonestExpiry(trust)
    .slice(0, MAX_LISTED)
    .map((entry) => trustRow(entry, now));
  const title = `Trust by expiry, soonest first (${trust.length})`;
  return section('trust', title, columns, rows, 'No trust data was read yet.');
}

function trustRow({ gun, expires, firstToExpire, verifiedAt, roles }: TrustStatus, now: Date): Html {
  const left = expires.getTime() - now.getTime();
  const level = left < URGENT_MS ? 'bad' : left < SOON_MS ? 'warn' : 'good';
  const versions = roles.map(({ role, version, skipped }) => `${role} ${skipped ?? version}`).join(', ');
  return html`<tr><th scope="row"><code>${gun}</code></th><td class="${level}">${toDistance(left)} (${time(expires)})</td>
<td>${firstToExpire}</td><td>${verifiedAt === undefined ? 'never' : time(verifiedAt)}</td><td>${versions}</td></tr>`;
}

function rulesSection({ rules, unmatched }: PolicyStatus): Html {
  const title = `Rules (no rule matches: ${unmatched})`;
  const rows = rules.map(({ name, match, mode, signers, tagList }: Rule) => {
    return html`<tr><th scope="row">${name}</th><td><code>${match}</code></td><td>${mode}</td><td>${toSignersText(signers)}</td><td>${tagList}</td></tr>`;
  });
  return section('rules', title, ['Rule', 'Match', 'Mode', 'Signers', 'Tag list'], rows, 'No rule.');
}

/** Whether the bytes that went out were compared with their digest; of a refusal there are none. */
function toComparedText(compared: boolean | undefined): string {
  if (compared === undefined) return '';
  return compared ? ', compared' : ', not compared';
}

function toSignersText(signers: SignerRequirement | undefined): string {
  if (signers === undefined) return 'targets/releases or targets';
  const { count, pins = [] } = signers;
  const pinned = new Set(pins.map(({ name }) => name));
  const names = signers.names.map((name) => (pinned.has(name) ? `${name} (by key)` : name));
  return count === names.length ? `all of ${names.join(', ')}` : `${count} of ${names.join(', ')}`;
}

function registriesSection(registries: readonly RegistryStatus[]): Html {
  const rows = registries.map(({ name, upstream, trustServer, aliases }) => {
    const server = trustServer === undefined ? 'none' : toShownAddress(trustServer);
    return html`<tr><th scope="row">${name}</th><td>${toShownAddress(upstream)}</td><td>${server}</td><td>${aliases.join(', ')}</td></tr>`;
  });
  return section(
    'registries',
    'Registries',
    ['Registry', 'Upstream', 'Trust server', 'Aliases'],
    rows,
    'None.',
  );
}

function section(
  id: string,
  title: string,
  columns: readonly string[],
  rows: readonly Html[],
  none: string,
): Html {
  const table = html`<div class="scroll" tabindex="0" role="region" aria-labelledby="${id}"><table>
<thead><tr>${columns.map((column) => html`<th scope="col">${column}</th>`)}</tr></thead>
<tbody>${rows}</tbody></table></div>`;
  return html`<section aria-labelledby="${id}"><h2 id="${id}">${title}</h2>${rows.length === 0 ? html`<p>${none}</p>` : table}</section>`;
}

function time(at: Date): Html {
  const iso = at.toISOString();
  return html`<time datetime="${iso}">${iso.slice(0, 19).replace('T', ' ')} UTC</time>`;
}

const UNITS = [
  ['day', 24 * 60 * 60 * 1000],
  ['hour', 60 * 60 * 1000],
  ['minute', 60 * 1000],
] as const;

/** `in 3 days`, `2 hours ago`; the unit is the largest that fits once. */
export function toDistance(milliseconds: number): string {
  const size = Math.abs(milliseconds);
  const [unit, length] = UNITS.find(([, each]) => size >= each) ?? ['minute', 60 * 1000];
  const count = Math.floor(size / length);
  const text = `${count} ${unit}${count === 1 ? '' : 's'}`;
  return milliseconds < 0 ? `expired ${text} ago` : `in ${text}`;
}
