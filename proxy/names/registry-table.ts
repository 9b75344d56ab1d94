/** The closed table every name of a registry is looked up in. What is not in it is never contacted. */

export type NamedRegistry = {
  readonly name: string;
  readonly aliases: readonly string[];
  /** Host names under which clients address the proxy for this registry, with or without a port. */
  readonly hosts: readonly string[];
  /** What a mirror URL has in front of `/v2/`, such as `/hub`. */
  readonly prefix?: string | undefined;
};

export type RegistryTable = {
  /** undefined: a request that names no registry is refused. */
  readonly defaultRegistry: string | undefined;
  /** Name or alias → canonical name. */
  readonly names: ReadonlyMap<string, string>;
  /** Host in lower case → canonical name. */
  readonly hosts: ReadonlyMap<string, string>;
  /** Path prefix → canonical name. */
  readonly prefixes: ReadonlyMap<string, string>;
};

/** Maps throughout: these names are compared with what strangers send. */
export function createRegistryTable(
  registries: readonly NamedRegistry[],
  defaultRegistry: string | undefined,
): RegistryTable {
  const names = new Map(
    registries.flatMap(({ name, aliases }) => aliases.map((alias) => [alias, name] as const)),
  );
  // A registry's own name wins over an alias of another one.
  for (const { name } of registries) names.set(name, name);
  const hosts = new Map(
    registries.flatMap(({ name, hosts: own }) => own.map((host) => [host.toLowerCase(), name] as const)),
  );
  const resolved =
    defaultRegistry === undefined ? undefined : (names.get(defaultRegistry) ?? defaultRegistry);
  const prefixes = new Map(
    registries.flatMap(({ name, prefix }) => (prefix === undefined ? [] : [[prefix, name] as const])),
  );
  return { defaultRegistry: resolved, names, hosts, prefixes };
}

/** A host as requests name it, in lower case and without the port of HTTPS: the form it is compared in. */
export function toAuthority(host: string): string {
  return host.toLowerCase().replace(/:443$/, '');
}

/**
 * The registry a host stands for: one under which clients address the proxy, with any port if it was written without
 * one, or a registry's own name, which a DNS override or a CONNECT has led here, with exactly its port.
 */
export function registryAt({ hosts, names }: RegistryTable, host: string): string | undefined {
  const lower = host.toLowerCase();
  return hosts.get(lower) ?? hosts.get(lower.replace(/:[0-9]+$/, '')) ?? names.get(toAuthority(lower));
}
