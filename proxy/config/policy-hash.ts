/**
 * A short hash of every setting that affects which images pass, to compare between replicas and over time. It covers whole
 * objects, so a field that is added to one of them is included without a change here.
 */
import { createHash } from 'node:crypto';
import type { Rule } from '../policy/types.ts';
import type { Config, PinConfig, RegistryConfig } from './types.ts';

type Deciding = Pick<Config, 'policy' | 'trust' | 'registries' | 'defaultRegistry'>;

/**
 * The same for two configurations that decide alike: defaults are filled in, and the order of rules, pins, registries and
 * signers does not count. Where the state lies, accounts and certificate authorities of connections decide nothing.
 *
 * @returns 12 lower-case hex digits.
 */
export function policyHash({ policy, trust, registries, defaultRegistry }: Deciding): string {
  const { state: _state, pins, ...freshness } = trust;
  const deciding = {
    policy: { ...policy, rules: unordered(policy.rules.map(withoutOrder)) },
    trust: { ...freshness, pins: unordered(pins.map(toPinned)) },
    registries: unordered(registries.map(toNamed)),
    defaultRegistry,
  };
  return createHash('sha256').update(canonical(deciding)).digest('hex').slice(0, 12);
}

function withoutOrder({ signers, ...rule }: Rule): object {
  if (signers === undefined) return rule;
  const pins = (signers.pins ?? []).map(({ name, keys }) => ({ name, keys: [...new Set(keys)].sort() }));
  return { ...rule, signers: { ...signers, names: [...signers.names].sort(), pins: unordered(pins) } };
}

function toPinned(pin: PinConfig): object {
  return pin.kind === 'ca' ? { ...pin, ca: pin.ca.pem } : { ...pin, rootKeys: [...pin.rootKeys].sort() };
}

/** The names of a registry, and the servers behind it. */
function toNamed({ ca: _ca, auth: _auth, tokenServer: _realm, trust, ...registry }: RegistryConfig): object {
  return {
    ...registry,
    aliases: [...registry.aliases].sort(),
    hosts: [...registry.hosts].sort(),
    trustServer: trust.server,
  };
}

function unordered(items: readonly object[]): readonly string[] {
  return items.map(canonical).sort();
}

/** JSON with the members of every object in one order. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, member: unknown) => {
    if (typeof member !== 'object' || member === null || Array.isArray(member)) return member;
    return Object.fromEntries(Object.entries(member).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}
