// Why devices failed: the providers' words and ours, in words of people. An unknown word stands for itself.

const REASONS = {
  // Ours.
  no_token: 'The device has no push token',
  pruned: 'Given up after its token had ended',
  no_provider: 'The device names no provider',
  no_credentials: 'The app has no credentials for this provider',
  malformed_token: 'The token is not one of this provider',
  bad_credential: 'The provider refused the credentials',
  expired: 'Its time ran out while the provider was out of order',
  unavailable: 'The provider was out of order',
  internal_error: 'A fault in Fanfare itself',
  // Between us and the provider.
  connect_refused: 'The provider could not be reached',
  dns: 'The provider’s name was not found',
  tls: 'No secure connection to the provider',
  timeout: 'The provider did not answer in time',
  no_answer: 'The provider did not answer in time',
  connection_lost: 'The connection to the provider broke',
  goaway: 'The provider closed the connection',
  reset: 'The provider broke the push off',
  // APNs.
  Unregistered: 'The app was removed from the device',
  ExpiredToken: 'The push token has ended',
  BadDeviceToken: 'Not a token of this app and environment',
  DeviceTokenNotForTopic: 'The token belongs to another app',
  MissingDeviceToken: 'The token was missing',
  TopicDisallowed: 'The credentials do not cover this topic',
  BadTopic: 'The topic is wrong',
  MissingTopic: 'The topic is missing',
  BadCollapseId: 'The collapse id was refused',
  BadExpirationDate: 'The time to live was refused',
  BadPriority: 'The priority was refused',
  PayloadTooLarge: 'The message is too large',
  PayloadEmpty: 'The message was empty',
  TooManyRequests: 'Too many pushes to this device',
  TooManyProviderTokenUpdates: 'Credentials were renewed too often',
  InternalServerError: 'A fault at the provider',
  ServiceUnavailable: 'The provider was out of order',
  Shutdown: 'The provider was shutting down',
  IdleTimeout: 'The connection was idle for too long',
  Forbidden: 'The provider refused the credentials',
  BadCertificate: 'The certificate was refused',
  BadCertificateEnvironment: 'The certificate is for another environment',
  ExpiredProviderToken: 'The credentials’ token had ended',
  InvalidProviderToken: 'The provider refused the credentials',
  MissingProviderToken: 'No credentials were shown',
  UnrelatedKeyIdInToken: 'The key is not one for this topic',
  BadEnvironmentKeyIdInToken: 'The key is for another environment',
  // FCM.
  UNREGISTERED: 'The app was removed from the device',
  NOT_FOUND: 'The provider does not know the token',
  INVALID_ARGUMENT: 'The token or the message was refused',
  SENDER_ID_MISMATCH: 'The token belongs to another Firebase project',
  QUOTA_EXCEEDED: 'The provider’s quota was used up',
  RESOURCE_EXHAUSTED: 'The provider’s quota was used up',
  UNAVAILABLE: 'The provider was out of order',
  INTERNAL: 'A fault at the provider',
  PERMISSION_DENIED: 'The provider refused the credentials',
  UNAUTHENTICATED: 'The provider refused the credentials',
  THIRD_PARTY_AUTH_ERROR: 'Firebase cannot reach APNs with its credentials',
};

/** What a reason means; null for one that is not known here. */
export const meaning = (reason) => REASONS[reason] ?? null;

const FAULTS = {
  connect_refused: 'connection refused',
  dns: 'its name is not found',
  tls: 'no secure connection',
  timeout: 'no answer in time',
  connection_lost: 'the connection breaks',
  goaway: 'it closes connections',
  reset: 'it breaks pushes off',
};

/** How a provider is out of order, in few words; null for a word that is not known here. */
export const fault = (word) => FAULTS[word] ?? null;

const OF_CREDENTIALS = new Set([
  'no_credentials', 'bad_credential', 'Forbidden', 'BadCertificate', 'BadCertificateEnvironment', 'ExpiredProviderToken', 'InvalidProviderToken',
  'MissingProviderToken', 'UnrelatedKeyIdInToken', 'BadEnvironmentKeyIdInToken', 'TopicDisallowed', 'BadTopic', 'MissingTopic',
  'PERMISSION_DENIED', 'UNAUTHENTICATED', 'SENDER_ID_MISMATCH', 'THIRD_PARTY_AUTH_ERROR',
]);

/** Whether other credentials may mend it. */
export const isOfCredentials = (reason) => OF_CREDENTIALS.has(reason);

/** `{reason: n}`, most frequent first. */
export const ranked = (reasons) =>
  Object.entries(reasons ?? {}).filter(([, devices]) => devices > 0).sort(([a, m], [b, n]) => n - m || a.localeCompare(b));
