/** `inspect IMAGE[:TAG]`: what is signed in a repository, by whom, with which keys, and until when. */
import { loadConfig } from '../config/load-config.ts';
import type { Config } from '../config/types.ts';
import { createPinFor, createTrustClient, openReadOnlyState } from '../runtime/trust.ts';
import { createNotarySource } from '../trust-client/notary-source.ts';
import type { VerifiedRepository } from '../trust-client/targets.ts';
import type { RoleStatus, TrustedTarget } from '../trust-client/types.ts';
import { updateTrust } from '../trust-client/update.ts';
import { findImage, type NamedImage } from './image.ts';
import type { CommandIo } from './io.ts';

export type InspectOptions = { readonly config: string; readonly json: boolean };

/**
 * @returns 0 when the repository (and the tag, where one is named) is signed, 3 when the tag is not.
 * @throws CommandError, ConfigError or TrustError when it cannot be told.
 */
export async function runInspect(image: string, options: InspectOptions, io: CommandIo): Promise<number> {
  const config = await loadConfig(options.config);
  const named = findImage(image, config);
  const now = new Date();
  const trust = await resolve(named, config, now);
  const tags = named.tag === undefined ? trust.tags(now) : [named.tag];
  const targets = tags.flatMap((tag) => trust.target(tag, now) ?? []);
  io.out(options.json ? toJson(trust, targets) : toText(trust, targets));
  if (named.tag === undefined || targets.length > 0) return 0;
  io.err(`${trust.gun}:${named.tag} is not signed; without a tag, inspect lists those that are`);
  return 3;
}

async function resolve(
  { registry, gun }: NamedImage,
  config: Config,
  now: Date,
): Promise<VerifiedRepository> {
  const client = createTrustClient(registry);
  try {
    return await updateTrust(
      { source: createNotarySource(client), state: openReadOnlyState(config.trust.state) },
      { gun, pin: createPinFor(config.trust)(gun), now, signal: AbortSignal.timeout(config.trust.timeoutMs) },
    );
  } finally {
    await client.close();
  }
}

function toJson(trust: VerifiedRepository, targets: readonly TrustedTarget[]): string {
  const { gun, expires, firstToExpire, roles } = trust;
  return JSON.stringify({ gun, expires, firstToExpire, roles, signedTags: targets }, undefined, 2);
}

function toText(trust: VerifiedRepository, targets: readonly TrustedTarget[]): string {
  const roles = trust.roles.map((role) => [
    role.role,
    describeVersion(role),
    role.expires.toISOString(),
    describeKeys(role),
  ]);
  const tags = targets.map(({ name, digest, signers, role }) => [
    name,
    digest,
    signers.join(', ') || '(owner)',
    role,
  ]);
  return [
    `${trust.gun}: verified, valid until ${trust.expires.toISOString()} (${trust.firstToExpire})`,
    '',
    ...toTable(['ROLE', 'VERSION', 'EXPIRES', 'CANONICAL KEY IDS'], roles),
    '',
    ...(tags.length === 0 ? ['no signed tags'] : toTable(['TAG', 'DIGEST', 'SIGNERS', 'ROLE'], tags)),
  ].join('\n');
}

function describeVersion({ version, skipped }: RoleStatus): string {
  return skipped === undefined ? String(version) : `not used: ${skipped}`;
}

function describeKeys({ canonicalKeyIds, threshold }: RoleStatus): string {
  const many = threshold > 1 ? `${threshold} of ` : '';
  return many + canonicalKeyIds.join(' ');
}

function toTable(head: readonly string[], rows: readonly (readonly string[])[]): readonly string[] {
  const widths = head.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  return [head, ...rows].map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}
