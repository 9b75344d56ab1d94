/**
 * The configuration file as one zod definition: `loadConfig` validates with it and config/pullwarden.schema.json is
 * generated from it, so the descriptions here are what an editor shows. Checks across keys are in cross-checks.ts.
 */
import * as z from 'zod';
import { certificateAuthority, listen, listenAddress } from './listen-schema.ts';
import {
  isBareHost,
  isKeyId,
  isPathPrefix,
  isRuleName,
  isSignerName,
  isUsername,
  parseTaggedImage,
} from './names.ts';
import {
  address,
  authority,
  choice,
  duration,
  either,
  file,
  fullList,
  hostName,
  list,
  port,
  registryName,
  section,
  text,
  wholeNumber,
} from './schema-forms.ts';

const account = section({
  username: text(isUsername, 'a user name', 'write it without colon and line breaks').describe(
    "Name of the proxy's own account.",
  ),
  passwordFile: file('a file that holds the password').describe(
    'File whose first line is the password or token.',
  ),
});

const orAccount = (word: 'passthrough' | 'anonymous') =>
  either(
    [z.literal(word), account],
    `${word} or an account`,
    `write ${word}, or username and passwordFile below it`,
  ).default(word);

const admin = section({
  address: listenAddress.default('127.0.0.1').describe('Address the admin port listens on.'),
  port: port()
    .default(9150)
    .describe('Port of metrics, health and status; never the pull port. 0 takes any free one.'),
  hosts: list(
    text(isBareHost, 'a host name', 'write it in lower case, without a port, such as pullwarden'),
    'host name',
  )
    .default([])
    .describe(
      'Host names it answers to, such as the one Prometheus scrapes. IP addresses and localhost are always allowed.',
    ),
});

const trustServer = section({
  server: address('https://notary.example.com').describe(
    'Address of the Notary (v1) server of this registry; there is no default.',
  ),
  ca: certificateAuthority.describe(
    "CA certificate that issued the trust server's certificate. Absent: the system's CAs.",
  ),
  auth: orAccount('anonymous').describe(
    'How the proxy signs in to the trust server: anonymous, or an account of its own.',
  ),
  tokenServer: authority('auth.example.com')
    .optional()
    .describe(
      "The one host this account may be shown to, with its port. Absent: the trust server's own. Without an account: a token server at a private address.",
    ),
});

const registry = section({
  name: registryName().describe('The registry in image references and GUNs, such as docker.io.'),
  upstream: address('https://registry-1.docker.io').describe(
    'Its address: http:// or https://, with port and path if needed.',
  ),
  aliases: list(registryName(), 'other name')
    .default([])
    .describe('Other names of the same registry in image references.'),
  hosts: list(hostName(), 'host name')
    .default([])
    .describe('Host names under which clients address this registry.'),
  prefix: text(isPathPrefix, 'a path prefix', 'write one in lower case such as /hub')
    .optional()
    .describe('Path prefix of mirror URLs of this registry, in front of /v2/, such as /hub. Absent: none.'),
  ca: certificateAuthority.describe(
    "CA certificate that issued the upstream's certificate. Absent: the system's CAs.",
  ),
  auth: orAccount('passthrough').describe(
    "Which account the upstream sees: the client's (passthrough), or the proxy's own.",
  ),
  tokenServer: authority('auth.docker.io')
    .optional()
    .describe(
      "The one host the proxy's own account may be shown to, with its port. Absent: the upstream's own; auth.docker.io for Docker Hub, gitlab.com for registry.gitlab.com.",
    ),
  trust: trustServer.describe('The trust server that holds the signatures of this registry.'),
});

const state = section({
  kind: choice(['file', 'memory']).describe(
    'file keeps trust data and rollback protection across restarts; memory does not.',
  ),
  path: file('a folder').optional().describe('Folder of the state, for kind: file. Default ./state.'),
});

const pin = section(
  {
    match: text(() => true, 'a pattern', 'write one such as docker.io/library/*').describe(
      'Repositories the pin applies to: registry/repository; * = within one path segment, ** = any number of segments.',
    ),
    rootKeys: fullList(
      text(isKeyId, 'a key ID', 'write 64 lower-case hex digits, as "pullwarden pin IMAGE" prints them'),
      'key ID',
    )
      .optional()
      .describe('Root keys, each by TUF key ID or canonical key ID.'),
    ca: certificateAuthority.describe(
      'CA certificate that issued the root certificates of these repositories.',
    ),
  },
  'match, and either rootKeys or ca',
).meta({ oneOf: [{ required: ['rootKeys'] }, { required: ['ca'] }] });

const trust = section({
  state: state.prefault({ kind: 'file' }).describe('Where the last verified trust data is kept.'),
  refresh: duration('10ms', '1d', '60s')
    .default('60s')
    .describe('Maximum age of a verified answer; the proxy then asks the trust server again.'),
  timeout: duration('10ms', '10m', '10s')
    .default('10s')
    .describe('Time limit of one whole trust resolution.'),
  firstUse: choice(['refuse', 'accept'])
    .default('refuse')
    .describe(
      'What happens to a repository that no pin covers: refuse, or accept the root seen first (TOFU).',
    ),
  pins: list(pin, 'pin').default([]).describe('Which root keys are trusted; the most specific match wins.'),
});

const SIGNER = ['a signer', 'write the name of a delegation without targets/, such as qa'] as const;

const pinnedSigner = section({
  name: text(isSignerName, ...SIGNER).describe('The delegation, without targets/.'),
  keys: fullList(
    text(isKeyId, 'a key ID', 'write 64 lower-case hex digits, as "pullwarden inspect IMAGE" prints them'),
    'key ID',
  ).describe('Keys that must have signed, each by TUF key ID or canonical key ID.'),
});

const signerList = fullList(either([text(isSignerName, ...SIGNER), pinnedSigner], ...SIGNER), 'signer');

const signers = section(
  {
    all: signerList.optional().describe('Every one of these delegations must have signed the same digest.'),
    atLeast: wholeNumber(1, 100, 'a number of signers')
      .optional()
      .describe('That many of the delegations under "of" must have signed the same digest.'),
    of: signerList.optional().describe('The delegations "atLeast" counts.'),
  },
  'either all: [...], or atLeast: n and of: [...]',
).meta({ oneOf: [{ required: ['all'] }, { required: ['atLeast', 'of'] }] });

const rule = section({
  name: text(
    isRuleName,
    'a rule name',
    'write letters, digits, dots, dashes and underscores, 64 at most',
  ).describe('Name in metrics, logs and refusals.'),
  match: text(() => true, 'a pattern', 'write one such as docker.io/library/*').describe(
    'Repositories the rule applies to: registry/repository, the whole name; * = within one path segment, ** = any number of segments.',
  ),
  mode: choice(['enforce', 'audit', 'off', 'deny']).describe(
    'enforce serves signed tags only; audit checks, records and serves; off serves unchecked; deny refuses everything, digests included.',
  ),
  signers: signers
    .optional()
    .describe('Who must have signed. Absent: targets/releases, then targets, as Docker does.'),
  digests: choice(['pass'])
    .default('pass')
    .describe('Pulls by digest pass unchecked: a digest identifies its content.'),
  tagList: choice(['signed', 'all']).default('signed').describe('Which tags the tag list shows.'),
});

const policy = section({
  unmatched: choice(['deny', 'pass'])
    .default('deny')
    .describe('What happens to a repository that no rule matches.'),
  rules: list(rule, 'rule')
    .default([])
    .describe('The most specific match wins, regardless of the order here.'),
});

const canary = section({
  image: text(
    (value) => parseTaggedImage(value) !== undefined,
    'an image with registry and tag',
    'write one in full, its name 255 characters at most, such as registry.example.com/pullwarden-canary:never-signed',
  ).describe(
    'registry/repository:tag that is never served, regardless of rules and signatures: a pull of it shows whether the pulls of a client go through the proxy.',
  ),
});

const log = section({
  level: choice(['trace', 'debug', 'info', 'warn', 'error'])
    .default('info')
    .describe('The least severe lines that are written.'),
  format: choice(['json', 'pretty']).default('json').describe('json for machines, pretty for people.'),
});

export const configSchema = section({
  listen: listen.prefault({}).describe('The pull port.'),
  admin: admin.prefault({}).describe('The admin port: metrics, health, status.'),
  defaultRegistry: registryName()
    .optional()
    .describe('Registry of requests that name none. Absent: such requests are refused.'),
  registries: fullList(registry, 'registry').describe('The registries the proxy serves.'),
  trust: trust.prefault({}).describe('How signatures are verified.'),
  policy: policy.describe('Which images may be pulled.'),
  canary: canary
    .optional()
    .describe(
      'The tag `pullwarden canary` pulls. Absent: pullwarden-canary:never-signed of the first registry that is not docker.io, else docker.io/library/hello-world:linux.',
    ),
  log: log.prefault({}).describe('The log on standard output.'),
});

/** A valid file, with every default filled in. */
export type RawConfig = z.output<typeof configSchema>;
