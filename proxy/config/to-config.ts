/** Turns a validated file into the `Config` of the other folders: defaults, units and paths resolved, frozen. */

import { dirname, resolve } from 'node:path';
import { chooseCanary } from '../policy/canary.ts';
import type { Canary, Policy, Rule, SignerPin, SignerRequirement } from '../policy/types.ts';
import { trimSlash } from './address.ts';
import type { RawConfig } from './config-schema.ts';
import { parseDuration } from './duration.ts';
import type { NamedFiles } from './named-files.ts';
import { parseTaggedImage } from './names.ts';
import { policyHash } from './policy-hash.ts';
import type {
  Account,
  CertificateFile,
  Config,
  HostCertificateConfig,
  ListenConfig,
  PinConfig,
  RegistryConfig,
  StateConfig,
} from './types.ts';

type Raw<Key extends keyof RawConfig> = RawConfig[Key];
type RawRegistry = Raw<'registries'>[number];
type RawRule = Raw<'policy'>['rules'][number];
type RawAccount = Exclude<RawRegistry['auth'], string>;

/** Where the file is, and what the files it names hold. */
type Context = { readonly folder: string; readonly certificates: NamedFiles['certificates'] };

/**
 * @param file absolute path of the configuration file.
 * @param raw validated by the schema and by every other check.
 */
export function toConfig(
  file: string,
  raw: RawConfig,
  { certificates }: Pick<NamedFiles, 'certificates'>,
): Config {
  const context = { folder: dirname(file), certificates };
  const deciding = {
    defaultRegistry: raw.defaultRegistry,
    registries: raw.registries.map((registry) => toRegistry(registry, context)),
    trust: {
      state: toState(raw.trust.state, context),
      refreshMs: toMilliseconds(raw.trust.refresh),
      timeoutMs: toMilliseconds(raw.trust.timeout),
      firstUse: raw.trust.firstUse,
      pins: raw.trust.pins.map((pin) => toPin(pin, context)),
    },
    policy: toPolicy(raw.policy, toCanary(raw)),
  };
  return deepFreeze({
    file,
    hash: policyHash(deciding),
    listen: toListen(raw.listen, context),
    admin: raw.admin,
    ...deciding,
    log: raw.log,
  });
}

type RawHostCertificate = NonNullable<Raw<'listen'>['connect']>['certificates'][number];

function toListen({ address, port, tls, connect }: Raw<'listen'>, context: Context): ListenConfig {
  const certificate = (raw: RawHostCertificate) => toHostCertificate(raw, context);
  return {
    address,
    port,
    tls: tls && {
      cert: certificateFile(tls.cert, context),
      key: resolve(context.folder, tls.key),
      clientCa: optionalCertificateFile(tls.clientCa, context),
      certificates: tls.certificates.map(certificate),
    },
    connect: connect && { certificates: connect.certificates.map(certificate), tunnel: connect.tunnel },
  };
}

function toHostCertificate(
  { hosts, cert, key }: RawHostCertificate,
  context: Context,
): HostCertificateConfig {
  return { hosts, cert: certificateFile(cert, context), key: resolve(context.folder, key) };
}

function toRegistry(
  { name, upstream, aliases, hosts, prefix, ca, auth, tokenServer, trust }: RawRegistry,
  context: Context,
): RegistryConfig {
  return {
    name,
    upstream: trimSlash(upstream),
    aliases,
    hosts,
    prefix,
    ca: optionalCertificateFile(ca, context),
    auth: typeof auth === 'string' ? { kind: 'passthrough' } : toAccount(auth, context),
    tokenServer,
    trust: {
      server: trimSlash(trust.server),
      ca: optionalCertificateFile(trust.ca, context),
      auth: typeof trust.auth === 'string' ? { kind: 'anonymous' } : toAccount(trust.auth, context),
      tokenServer: trust.tokenServer,
    },
  };
}

function toAccount({ username, passwordFile }: RawAccount, { folder }: Context): Account {
  return { kind: 'account', username, passwordFile: resolve(folder, passwordFile) };
}

function toState({ kind, path = './state' }: Raw<'trust'>['state'], { folder }: Context): StateConfig {
  return kind === 'memory' ? { kind } : { kind, path: resolve(folder, path) };
}

function toPin({ match, rootKeys, ca }: Raw<'trust'>['pins'][number], context: Context): PinConfig {
  if (rootKeys !== undefined) return { kind: 'keys', match, rootKeys };
  if (ca !== undefined) return { kind: 'ca', match, ca: certificateFile(ca, context) };
  throw new Error('a pin without rootKeys and ca passed the checks');
}

function toPolicy({ unmatched, rules }: Raw<'policy'>, canary: Canary): Policy {
  return { unmatched, rules: rules.map(toRule), canary };
}

function toCanary({ canary: raw, registries }: Pick<RawConfig, 'canary' | 'registries'>): Canary {
  if (raw === undefined) return chooseCanary(registries.map(({ name }) => name));
  const canary = parseTaggedImage(raw.image);
  if (canary === undefined) throw new Error('a canary without registry or tag passed the checks');
  return canary;
}

function toRule({ name, match, mode, signers, tagList }: RawRule): Rule {
  return { name, match, mode, signers: signers === undefined ? undefined : toRequirement(signers), tagList };
}

function toRequirement({ all, atLeast, of }: NonNullable<RawRule['signers']>): SignerRequirement {
  if (all !== undefined) return { ...toNames(all), count: all.length };
  if (atLeast !== undefined && of !== undefined) return { ...toNames(of), count: atLeast };
  throw new Error('signers of neither form passed the checks');
}

function toNames(signers: readonly (string | SignerPin)[]): Pick<SignerRequirement, 'names' | 'pins'> {
  const names = signers.map((signer) => (typeof signer === 'string' ? signer : signer.name));
  const pins = signers.filter((signer) => typeof signer !== 'string');
  return pins.length === 0 ? { names } : { names, pins };
}

function certificateFile(name: string, { folder, certificates }: Context): CertificateFile {
  const pem = certificates.get(name);
  if (pem === undefined) throw new Error('a certificate file passed the checks unread');
  return { path: resolve(folder, name), pem };
}

function optionalCertificateFile(name: string | undefined, context: Context): CertificateFile | undefined {
  return name === undefined ? undefined : certificateFile(name, context);
}

function toMilliseconds(text: string): number {
  const milliseconds = parseDuration(text);
  if (milliseconds === undefined) throw new Error('a duration passed the checks unparsed');
  return milliseconds;
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) Object.values(value).forEach(deepFreeze);
  return Object.freeze(value);
}
