/**
 * What a person is told when policy refuses: one sentence that says what was expected and what to do next
 * (proxy/README.md, "6. Decide"). containerd shows nothing but the start of it, so the cause comes first.
 *
 * Only names from the grammar and from the checked configuration go in, and dates: all of it is ASCII, and none of
 * it is free text of a client, a registry or a trust server.
 */
import type { DenyReason, TrustReason } from '../reason.ts';
import { CANARY_WORDS } from './canary.ts';
import type { SignerRequirement } from './types.ts';

/** What was asked for, in the words that go into the sentence. */
export type Asked = {
  /** `<registry>/<repository>:<tag>` or `…@<digest>`. */
  readonly image: string;
  /** `<registry>/<repository>`. */
  readonly gun: string;
  readonly rule: string;
  /** The role of the trust data at fault, where one is known. */
  readonly role?: string | undefined;
};

type Unsigned = Asked & {
  readonly missing: readonly string[];
  readonly signers: SignerRequirement;
  /** Those of `missing` that signed, but with another key than the rule names. */
  readonly otherKeys: readonly string[];
};

/** The reasons whose sentence needs no more than what was asked for. */
type PlainReason = TrustReason | Extract<DenyReason, 'denied_by_rule' | 'no_rule' | 'internal'>;

const OPERATOR = "this proxy's operator";
const PUBLISHER = 'ask its publisher to sign again';
/** Whom to ask about an expired role: the trust server renews two of them by itself, people the others. */
const RENEWERS = new Map(
  ['timestamp', 'snapshot'].map((role) => [role, `ask ${OPERATOR} to check that the trust server renews it`]),
);

/** One sentence for each reason policy/ refuses with, `unsigned_tag` aside. */
export const REFUSALS = {
  no_trust_data: ({ image, gun }) =>
    `${image} is not signed: there is no trust data for ${gun}; sign it with "docker trust sign ${image}" or pull a signed repository`,
  key_not_pinned: ({ image, gun }) =>
    `${image} is signed with a root key that is not pinned for ${gun}; ask ${OPERATOR} to pin its root key or pull a pinned repository`,
  root_rotation_refused: ({ image, gun }) =>
    `${image} is refused: the root key of ${gun} was replaced and the earlier one does not vouch for the new one; ask its publisher whether that was intended and ${OPERATOR} to pin the new key`,
  metadata_expired: ({ image, gun, role }) =>
    `${image} is refused: the ${role ?? 'trust data'} of ${gun} has expired; ${RENEWERS.get(role ?? '') ?? PUBLISHER}`,
  metadata_rollback: ({ image, gun }) =>
    `${image} is refused: the trust server offers older trust data for ${gun} than was verified before; ask ${OPERATOR} to check the trust server`,
  metadata_invalid: ({ image, gun }) =>
    `${image} is refused: the trust data for ${gun} is not what its signers signed; ask ${OPERATOR} to check the trust server`,
  trust_unreachable: ({ image, gun }) =>
    `${image} cannot be verified: the trust server for ${gun} cannot be reached; try again later or ask ${OPERATOR} to check the trust server`,
  deadline_exceeded: ({ image, gun }) =>
    `${image} cannot be verified: the trust server for ${gun} did not answer in time; try again`,
  denied_by_rule: ({ image, rule }) =>
    `${image} is refused: rule ${rule} lets nothing through; pull another repository or ask ${OPERATOR} to change the rule`,
  no_rule: ({ image, gun }) =>
    `${image} is refused: no rule matches ${gun}; ask ${OPERATOR} to add one or pull a repository that has one`,
  internal: ({ image }) =>
    `${image} cannot be verified: the proxy has no trust data where it must have; ask ${OPERATOR} to read its log`,
  signer_missing: ({ image, rule, missing, otherKeys }) =>
    `${image} is signed but not by ${missing.join(', ')}, as rule ${rule} requires${byOtherKeys(otherKeys)}; ask them to sign it with "docker trust sign ${image}" or pull a tag they signed`,
  threshold_not_met: ({ image, rule, missing, signers, otherKeys }) =>
    `${image} is signed by fewer than ${signers.count} of ${signers.names.join(', ')}, as rule ${rule} requires${byOtherKeys(otherKeys)}; ask ${missing.join(' or ')} to sign it with "docker trust sign ${image}"`,
} satisfies Record<PlainReason, (asked: Asked) => string> &
  Record<'signer_missing' | 'threshold_not_met', (asked: Unsigned) => string>;

function byOtherKeys(names: readonly string[]): string {
  return names
    .map((name) => `, targets/${name} is signed by another key than the one the rule names`)
    .join('');
}

/** The canary, whatever else would have been said of it. */
export function refusedCanary({ image }: Asked): string {
  return `${CANARY_WORDS}, ${image}, is refused, so this client is held; pull another image, this one is never served`;
}

/** The tag has no signature. `suggestions` are signed tags of the same repository; none, and none are named. */
export function unsignedTag({ image }: Asked, suggestions: readonly string[]): string {
  const others = suggestions.length === 0 ? '' : `: ${suggestions.join(', ')}`;
  return `${image} is not signed: no valid signature in targets/releases or targets; sign it with "docker trust sign ${image}" or pull a signed tag${others}`;
}
