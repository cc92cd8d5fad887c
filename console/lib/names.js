// The API's numbers and short words, in words of people.

/** Notification states by the API's number. */
export const STATUS = {
  0: { name: 'Draft', tone: 'quiet' },
  1: { name: 'Sending', tone: 'live' },
  2: { name: 'Sent', tone: 'good' },
  3: { name: 'Error', tone: 'bad' },
  4: { name: 'Deleted', tone: 'quiet' },
  5: { name: 'Scheduled', tone: 'info' },
  6: { name: 'Paused', tone: 'warn' },
};

export const DRAFT = 0;
export const SENDING = 1;
export const SENT = 2;
export const ERROR = 3;
export const DELETED = 4;
export const QUEUED = 5;
export const PAUSED = 6;

export const PROVIDER = { apns: 'APNs', fcm: 'FCM', email: 'E-mail', webpush: 'Web Push' };
export const PLATFORM = { android: 'Android', ios: 'iOS', web: 'Web' };

export const providerName = (word) => PROVIDER[word] ?? word;
export const platformName = (word) => PLATFORM[word] ?? word;

/** A device's platform and provider, by the API's numbers. */
export const devicePlatform = (number) => PLATFORM[['', 'android', 'ios', 'web'][number]] ?? 'Unknown';
export const deviceProvider = (number) => PROVIDER[['', 'fcm', 'apns', 'email'][number]] ?? null;

const UNREACHABLE = {
  no_token: 'without a token',
  pruned: 'with a token given up',
  no_provider: 'without a provider',
  no_credentials: 'of a provider without credentials',
};

/** Why devices cannot be reached, after how many they are: “12 without a token”. */
export const unreachableName = (word) => UNREACHABLE[word] ?? word;

/** Why nothing would be sent to a device, though it match; null where it can be reached. */
export function unsendable({ pruned, push_token: token, send_platform: provider }) {
  if (pruned) return 'its token was given up';
  if (!token) return 'it has no token';
  return deviceProvider(Number(provider)) ? null : 'it has no provider';
}

const NOBODY = 'Somebody without a key';

/** Who a key's name stands for: the installation's own keys have no names but their places. */
export function callerName(name) {
  if (name === 'open') return NOBODY;
  const place = /^internal\.keys\[(\d+)\]$/.exec(name)?.[1];
  if (place === undefined) return name;
  return place === '0' ? 'Operator' : `Operator ${Number(place) + 1}`;
}

/** The key's name for a name of this console's or of a key, in whatever case; `known` are names of keys. */
export function callerOf(text, known = []) {
  const wanted = text.trim().toLowerCase();
  const said = (name) => name.toLowerCase() === wanted || callerName(name).toLowerCase() === wanted;
  if (known.includes(text.trim())) return text.trim();
  const place = /^operator(?: (\d+))?$/.exec(wanted);
  return known.find(said) ?? (wanted === NOBODY.toLowerCase() ? 'open' : place ? `internal.keys[${(place[1] ?? 1) - 1}]` : text.trim());
}
