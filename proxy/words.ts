/**
 * What a person is told of a refusal: one ASCII sentence, the cause first, then what to do next. containerd shows nothing
 * but its start. Only names from the grammar and from the checked configuration go in, dates, and what `quote` gives: no
 * free text of a registry or a trust server, and of a client only what is quoted.
 */
import type { OciCode, PolicyReason } from './reason.ts';

/** Facts of a refusal by policy: what `decide` found, and nothing worded. */
export type Denied = {
  readonly reason: PolicyReason;
  /** Name of the rule that spoke. */
  readonly rule: string;
  readonly isCanary?: true;
  /** The role of the trust data at fault, where one is known. */
  readonly role?: string | undefined;
  /** Signers the rule requires, and how many of them. */
  readonly signers?: { readonly names: readonly string[]; readonly count: number };
  /** Those whose signature is missing. */
  readonly missing?: readonly string[];
  /** Those of `missing` that signed, but with another key than the rule names. */
  readonly otherKeys?: readonly string[];
};

/** What was asked for. */
export type Asked = {
  /** `<registry>/<repository>:<tag>` or `…@<digest>`. */
  readonly image: string;
  /** `<registry>/<repository>`. */
  readonly gun: string;
};

/**
 * What every refusal of a canary says first, and nothing else says: `pullwarden canary` looks for it in what a client
 * shows. First, because the image's name may be so long that a status line ends before it does.
 */
export const CANARY_WORDS = "this proxy's test image";

const OPERATOR = "this proxy's operator";
const PUBLISHER = 'ask its publisher to sign again';
/** Whom to ask about an expired role: the trust server renews two of them by itself, people the others. */
const RENEWERS = new Map(
  ['timestamp', 'snapshot'].map((role) => [role, `ask ${OPERATOR} to check that the trust server renews it`]),
);

type Facts = Denied & Asked & { readonly others: readonly string[] };

const DENIED: { readonly [Reason in PolicyReason]: (facts: Facts) => string } = {
  no_trust_data: ({ image, gun }) =>
    `${image} is not signed: there is no trust data for ${gun}; sign it with "docker trust sign ${image}" or pull a signed repository`,
  key_not_pinned: ({ image, gun }) =>
    `${image} is signed with a root key that is not pinned for ${gun}; ask ${OPERATOR} to pin its root key or pull a pinned repository`,
  root_rotation_refused: ({ image, gun }) =>
    `${image} is refused: the root key of ${gun} was replaced and the earlier one does not vouch for the new one; ask its publisher whether that was intended; if so, ${OPERATOR} has to pin the new key and run "pullwarden trust reset"`,
  metadata_expired: ({ image, gun, role }) =>
    `${image} is refused: the ${role === undefined ? 'trust data' : `${role} metadata`} of ${gun} has expired; ${RENEWERS.get(role ?? '') ?? PUBLISHER}`,
  metadata_rollback: ({ image, gun }) =>
    `${image} is refused: the trust server offers older trust data for ${gun} than was verified before; ask ${OPERATOR} to check the trust server`,
  metadata_invalid: ({ image, gun }) =>
    `${image} is refused: the trust data for ${gun} is not what its signers signed; ask ${OPERATOR} to check the trust server`,
  trust_unreachable: ({ image, gun }) =>
    `${image} cannot be verified: the trust server for ${gun} cannot be reached; try again later or ask ${OPERATOR} to check the trust server`,
  deadline_exceeded: ({ image, gun }) =>
    `${image} cannot be verified: the trust server for ${gun} did not answer in time; try again`,
  denied_by_rule: ({ image, rule, isCanary }) =>
    isCanary
      ? `${CANARY_WORDS}, ${image}, is always refused: this client goes through the proxy; pull another image`
      : `${image} is refused: rule ${rule} lets nothing through; pull another repository or ask ${OPERATOR} to change the rule`,
  no_rule: ({ image, gun }) =>
    `${image} is refused: no rule matches ${gun}; ask ${OPERATOR} to add one or pull a repository that has one`,
  internal: ({ image }) =>
    `${image} cannot be verified: internal error, trust data was not loaded; ask ${OPERATOR} to read its log`,
  unsigned_tag: ({ image, others }) =>
    `${image} is not signed: no valid signature in targets/releases or targets; sign it with "docker trust sign ${image}" or pull a signed tag${others.length === 0 ? '' : `: ${others.join(', ')}`}`,
  signer_missing: ({ image, rule, missing = [], otherKeys }) =>
    `${image} is signed but not by ${missing.join(', ')}, as rule ${rule} requires${byOtherKeys(otherKeys)}; ask them to sign it with "docker trust sign ${image}" or pull a tag they signed`,
  threshold_not_met: ({ image, rule, missing = [], signers, otherKeys }) =>
    `${image} is signed by fewer than ${signers?.count} of ${signers?.names.join(', ')}, as rule ${rule} requires${byOtherKeys(otherKeys)}; ask ${missing.join(' or ')} to sign it with "docker trust sign ${image}"`,
};

function byOtherKeys(names: readonly string[] = []): string {
  return names
    .map((name) => `, targets/${name} is signed by another key than the one the rule names`)
    .join('');
}

/** @param others signed tags of the same repository, for a caller who may read it; none, and none are named. */
export function sayDenied(denied: Denied, asked: Asked, others: readonly string[] = []): string {
  return DENIED[denied.reason]({ ...denied, ...asked, others });
}

const NEXT_STEPS = {
  registry_unreachable: `try again later or ask ${OPERATOR} to check the registry`,
  digest_mismatch: `nothing was served; ask ${OPERATOR} to check the registry`,
  signed_digest_missing: 'push and sign it again or pull another signed tag',
  deadline_exceeded: 'try again',
  trust_unreachable: `try again later or ask ${OPERATOR} to check the trust server`,
} as const;

/** Why a pull fails because of a server, not of policy. */
export type FailureReason = keyof typeof NEXT_STEPS;

/** @param subject what cannot be served. @param what one of `CAUSES`. */
export function sayFailed(subject: string, reason: FailureReason, what: string): string {
  return `${SENTENCES.cannotServe(subject, what)}; ${NEXT_STEPS[reason]}`;
}

const SAYS_NO: ReadonlyMap<number, string> = new Map([
  [401, 'the registry asks for other credentials (401)'],
  [403, 'the registry does not let you read it (403)'],
  [404, 'the registry does not have it (404)'],
  [429, 'the registry is asked too often (429)'],
]);

/** What a server did, or what there was no room for: the middle of `sayFailed`. */
export const CAUSES = {
  answered: (status: number) => `the registry answered ${status}`,
  /** The registry's own refusal, in our words. */
  saysNo: (status: number) => SAYS_NO.get(status) ?? `the registry answered ${status}`,
  upstreamAnswered: (status: number) =>
    `the upstream answered ${status}${status >= 300 && status < 400 ? ', a redirect' : ''}`,
  refusedOurAccount: (status: number) => `the upstream refused our account (${status})`,
  didNotLetUsIn: (kind: string) => `the upstream did not let us in (${kind})`,
  cannotBeAsked: 'the upstream could not be asked',
  cannotBeReached: 'the upstream cannot be reached',
  upstreamIsLate: 'the upstream did not answer in time',
  isCompressed: 'the upstream sent a compressed answer',
  isHtml: 'the upstream sent a page of HTML',
  noAnswer: (kind: string) => `the registry did not give an answer (${kind})`,
  isLate: 'the registry did not answer in time',
  noAnswerInTime: 'the registry did not give an answer in time',
  endlessList: 'the registry sent a list without end',
  noList: 'the registry sent something that is not a tag list',
  noImage: 'the registry sent something that is not an image',
  moreThanSigned: 'the registry sent more bytes than were signed',
  moreThan: (bytes: number) => `the registry sent more than ${bytes} bytes`,
  otherDigest: 'the registry announced another digest than was asked for',
  noDigest: 'the registry announced something that is not a digest',
  otherLength: (sent: number, signed: number) =>
    `the registry sent ${sent} bytes where ${signed} were signed`,
  otherThanSigned: 'the registry sent other bytes than were signed',
  otherThanNamed: 'the registry sent other bytes than the digest names',
  signedUnderOtherType: 'the registry sent the signed bytes under a media type they do not have',
  underOtherType: 'the registry sent the bytes under a media type they do not have',
  tooManyValues: (most: number) =>
    `the manifest has more JSON values and member names than the ${most} that are read`,
  signedIsTooLong: (length: number, most: number) =>
    `the signed manifest is ${length} bytes long, more than ${most}`,
  signedIsGone: 'the registry does not have the signed manifest (any more)',
  configIsGone: 'the registry does not have its configuration (any more)',
  configIsOther: 'the registry sent other bytes than its configuration',
  configAnswered: (status: number) => `the registry answered ${status} for its configuration`,
  configFailed: (kind: string) => `its configuration cannot be had from the registry (${kind})`,
  noRoomForBodies: 'this proxy has no room for more answers of registries before others are read',
  noRoomForAnswers: 'this proxy has no room for more answers before other clients read theirs',
} as const;

/** Sentences that need no cause of their own. */
export const SENTENCES = {
  cannotServe: (image: string, what: string) => `${image} cannot be served: ${what}`,
  tooManyConnections:
    'this proxy has no room for more connections from this address; close some or try again later',
  failedHere: (requestId: string) =>
    `the proxy failed on this request; ask its operator to look for request ${requestId} in the log`,
  notAccepted: (image: string, mediaType: string) =>
    `${image} is signed as ${mediaType}, which this client does not accept; use a newer client`,
  trustIsPrivate: (gun: string) =>
    `the trust data of ${gun} is not served here; pull through this proxy, which verifies it`,
  pingFailed: (upstream: string, what: string) =>
    `${upstream} ${what}; try again later or ask ${OPERATOR} to check the registry`,
  pingAnswered: (status: number) => `answered ${status}`,
  pingWithout: (kind: string) => `did not give an answer (${kind})`,
  pingIsHtml: 'sent a page of HTML',
  tryAgain: (what: string) => `${what}; try again`,
  methodRefused: (method: string) =>
    `${method.slice(0, 20)} is not accepted: this proxy only serves pulls; push to the registry itself`,
  noDefaultRegistry:
    'the request names no registry and this proxy has no default one; put the registry in front of the repository',
  unknownRegistry: (asked: string) =>
    `${asked} is not a registry this proxy serves; ask its operator to configure it or pull from another one`,
  noCertificate: (authority: string) =>
    `this proxy has no certificate for ${authority}; ask its operator to add one under listen.connect.certificates`,
  noRoomForTunnel: (target: string) => `there is no room for another tunnel to ${target}; try again later`,
  targetUnreachable: (target: string) =>
    `${target} cannot be reached from this proxy; try again later or ask its operator`,
} as const;

/** What is wrong with a request that the grammar refuses, in the words of its sender. */
export const FAULTS = {
  httpVersion: (version: string) => `HTTP/${version} is not supported; use HTTP/1.1`,
  targetTooLong: (most: number) => `the request-target is longer than ${most} bytes`,
  transferEncoding: 'the only transfer encoding understood is "chunked"',
  host: 'the Host header must be there once and hold a host name with an optional port',
  otherHost: (connectedTo: string) =>
    `the Host header must name ${connectedTo}, which this connection was made for`,
  portInName: (part: string) => `${part} is not part of a repository name`,
  neitherRegistryNorName: (asked: string) =>
    `${asked} is neither a configured registry nor a repository name`,
  nameTooLong: (most: number) => `the name is longer than ${most} characters`,
  absoluteForm:
    'requests in absolute form are not proxied; set this proxy as HTTPS_PROXY, and address the registry with https://',
  noSlash: 'the request-target must start with a slash',
  path: (path: string) =>
    `${quote(path)} is not a path this proxy answers; nothing in it is decoded or corrected`,
  repository: (name: string) =>
    `${quote(name)} is not a repository name: lower-case letters and digits, separated by ".", "_", "__", "-" or "/"`,
  digest: (text: string) =>
    `${quote(text)} is not a digest: sha256: with 64 or sha512: with 128 lower-case hex digits`,
  tag: (text: string) =>
    `${quote(text)} is not a tag: at most 128 letters, digits, "_", "." or "-", of which "." and "-" cannot come first`,
  parameter: (key: string) => `the query parameter ${quote(key)} is not accepted here`,
  parameterTwice: (key: string) => `the query parameter ${key} is there more than once`,
  parameterValue: (key: string, value: string, what: string) => `${key}=${quote(value)} is not ${what}`,
  connectTarget: 'the target of CONNECT must be a host name and a port; nothing in it is corrected',
  connectInside: 'a tunnel inside a tunnel is not opened; connect to the proxy itself',
  connectHost: 'the Host header of CONNECT must name its target, once',
  connectEarly: 'nothing may be sent behind CONNECT before it is answered; wait for the 200',
  requestLate: 'the request did not come in time; send it in one piece',
  notHttp: 'the request is not valid HTTP/1.1; nothing in it is corrected',
} as const;

/** A fault with the code that belongs to it, where NAME_INVALID does not. */
export type Fault = { readonly code: OciCode; readonly message: string };

/** Text from outside in a message: printable ASCII, and not much of it. */
export function quote(text: string): string {
  return `"${text.replace(/[^\x20-\x7e]/g, '?').slice(0, 80)}"`;
}
