/** Checks of the pull port's certificates against their keys and against the names they are shown for. */
import { type KeyObject, X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { type Finding, formatPath, type Path, show } from './errors.ts';
import { entry, items, texts } from './lookup.ts';

/** Every mapping with `cert` and `key`. */
export function certifiedPlaces(value: unknown): readonly Path[] {
  const lists = [
    ['listen', 'tls', 'certificates'],
    ['listen', 'connect', 'certificates'],
  ];
  return [['listen', 'tls'], ...lists.flatMap((list) => items(value, list).map(({ path }) => path))];
}

/** @param pem the certificates of a file, by the name it has in the configuration. */
export function certificateFindings(
  value: unknown,
  pem: ReadonlyMap<string, string>,
  keys: ReadonlyMap<string, KeyObject>,
): readonly Finding[] {
  return certifiedPlaces(value).flatMap((path) => {
    const [cert] = texts([entry(value, [...path, 'cert'])]);
    const [key] = texts([entry(value, [...path, 'key'])]);
    const chain = pem.get(cert?.value ?? '');
    if (cert === undefined || chain === undefined) return [];
    const certificate = new X509Certificate(chain);
    const privateKey = keys.get(key?.value ?? '');
    return [
      ...(key === undefined || privateKey === undefined || certificate.checkPrivateKey(privateKey)
        ? []
        : [mismatch(key.path, key.value, cert.path)]),
      ...uncovered(value, path, cert.value, certificate),
    ];
  });
}

/** The key belongs to the first certificate of the chain. */
function mismatch(path: Path, key: string, cert: Path): Finding {
  const what = `${show(key)} is not the key of the certificate in ${formatPath(cert)}`;
  return { path, what, next: 'name the private key of that certificate' };
}

function uncovered(
  value: unknown,
  path: Path,
  name: string,
  certificate: X509Certificate,
): readonly Finding[] {
  return texts(items(value, [...path, 'hosts']))
    .filter(({ value: host }) => !isFor(certificate, host))
    .map((host) => ({
      path: host.path,
      what: `the certificate in ${show(name)} is not for ${show(host.value)}`,
      next: 'name a certificate with this subject alternative name, or remove the host here',
    }));
}

/** Clients look at the subject alternative names alone. */
function isFor(certificate: X509Certificate, host: string): boolean {
  const bare = host.replace(/:[0-9]+$/, '').replace(/^\[|\]$/g, '');
  if (isIP(bare) !== 0) return certificate.checkIP(bare) !== undefined;
  return certificate.checkHost(bare, { subject: 'never' }) !== undefined;
}
