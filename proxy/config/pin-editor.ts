/** Adds a pin to a configuration text and leaves everything else in it, comments too, as it is. */
import { isMap, isScalar, isSeq, parseDocument, type YAMLMap } from 'yaml';

/**
 * @returns the text with the key ID among the root keys of the pin for exactly this name.
 *   undefined when that pin names a CA: it has no root keys to add to.
 */
export function addPin(text: string, gun: string, keyId: string): string | undefined {
  const document = parseDocument(text);
  const pins = document.getIn(['trust', 'pins']);
  const own = isSeq(pins)
    ? pins.items.find((pin): pin is YAMLMap => isMap(pin) && pin.get('match') === gun)
    : undefined;
  if (own === undefined) {
    if (isSeq(pins)) document.addIn(['trust', 'pins'], { match: gun, rootKeys: [keyId] });
    else document.setIn(['trust', 'pins'], [{ match: gun, rootKeys: [keyId] }]);
    return document.toString({ lineWidth: 0 });
  }
  const keys = own.get('rootKeys');
  if (!isSeq(keys)) return undefined;
  const isThere = keys.items.some((item) => isScalar(item) && item.value === keyId);
  if (!isThere) keys.add(keyId);
  return document.toString({ lineWidth: 0 });
}
