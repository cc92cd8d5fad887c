//! The two kinds of token that callers show: a client's, signed with the key that its id is (EdDSA,
//! `did:key`), and the one of whoever manages tenants (HS256, with the tenants' secret).

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::{
    hmac,
    signature::{ED25519, UnparsedPublicKey},
};
use serde::{Deserialize, de::DeserializeOwned};

use crate::domain::timestamp::Timestamp;

/// What a client's id may begin with.
pub const DID_PREFIX: &str = "did:key:";
/// By how much clocks may differ.
const LEEWAY_SECS: i64 = 120;
/// Multicodec's name of an Ed25519 public key.
const ED25519_CODE: [u8; 2] = [0xed, 0x01];
const BASE58: &[u8] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
/// An id of 34 bytes has 48 characters at the most; longer ones are not looked at.
const MAX_BASE58: usize = 64;

#[derive(Deserialize)]
struct Header {
    alg: String,
}

#[derive(Deserialize)]
struct ClientClaims {
    iss: String,
    aud: String,
    iat: i64,
    #[serde(default)]
    exp: Option<i64>,
}

#[derive(Deserialize)]
struct TenantClaims {
    exp: i64,
    #[serde(default)]
    nbf: Option<i64>,
}

/// Whether the token proves that the caller is this client, and was made for an audience that
/// `is_ours`; the error says why not.
pub fn check_client(
    token: &str,
    client: &str,
    is_ours: impl Fn(&str) -> bool,
    now: Timestamp,
) -> Result<(), &'static str> {
    let (signed, claims, signature) = split::<ClientClaims>(token, "EdDSA")?;
    let id = claims.iss.strip_prefix(DID_PREFIX).ok_or("iss is no did:key")?;
    let key = public_key(id).ok_or("iss is no Ed25519 key")?;
    let verified = UnparsedPublicKey::new(&ED25519, key).verify(signed.as_bytes(), &signature);
    verified.map_err(|_| "the signature does not verify")?;
    let now = now.seconds();
    if claims.iat > now.saturating_add(LEEWAY_SECS) {
        return Err("iat lies in the future");
    }
    if claims.exp.is_some_and(|exp| exp < now.saturating_sub(LEEWAY_SECS)) {
        return Err("it has expired");
    }
    if !is_ours(&claims.aud) {
        return Err("aud is not this server");
    }
    if id != client.strip_prefix(DID_PREFIX).unwrap_or(client) {
        return Err("iss is not this client");
    }
    Ok(())
}

/// Whether the token was made by who knows the tenants' secret; the error says why not.
pub fn check_tenant(token: &str, secret: &str, now: Timestamp) -> Result<(), &'static str> {
    let (signed, claims, signature) = split::<TenantClaims>(token, "HS256")?;
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let verified = hmac::verify(&key, signed.as_bytes(), &signature);
    verified.map_err(|_| "the signature does not verify")?;
    let now = now.seconds();
    if claims.exp < now.saturating_sub(LEEWAY_SECS) {
        return Err("it has expired");
    }
    if claims.nbf.is_some_and(|nbf| nbf > now.saturating_add(LEEWAY_SECS)) {
        return Err("it is not valid yet");
    }
    Ok(())
}

/// What is signed, the claims, and the signature, which nobody has verified yet.
fn split<'a, C: DeserializeOwned>(
    token: &'a str,
    algorithm: &str,
) -> Result<(&'a str, C, Vec<u8>), &'static str> {
    let decoded = |part: &str| URL_SAFE_NO_PAD.decode(part.trim_end_matches('='));
    let (signed, signature) = token.rsplit_once('.').ok_or("it is no JWT")?;
    let (header, claims) = signed.split_once('.').ok_or("it is no JWT")?;
    let header = decoded(header).ok().and_then(|text| serde_json::from_slice(&text).ok());
    let Header { alg } = header.ok_or("its header does not read")?;
    if alg != algorithm {
        return Err("it is signed by another algorithm");
    }
    let claims = decoded(claims).ok().and_then(|text| serde_json::from_slice(&text).ok());
    let claims = claims.ok_or("its claims do not read, or are not all there")?;
    Ok((signed, claims, decoded(signature).map_err(|_| "its signature does not read")?))
}

/// The key that a `did:key` is: multibase `z` (base58btc), multicodec Ed25519.
fn public_key(id: &str) -> Option<Vec<u8>> {
    let bytes = base58(id.strip_prefix('z')?)?;
    let key = bytes.strip_prefix(&ED25519_CODE)?;
    (key.len() == 32).then(|| key.to_vec())
}

fn base58(text: &str) -> Option<Vec<u8>> {
    if text.len() > MAX_BASE58 {
        return None;
    }
    // A number in base 256, its least digit first.
    let mut number: Vec<u8> = Vec::new();
    for letter in text.bytes() {
        let mut carry = BASE58.iter().position(|known| *known == letter)?;
        for digit in &mut number {
            carry += usize::from(*digit) * 58;
            *digit = (carry & 0xff) as u8;
            carry >>= 8;
        }
        if carry > 0 {
            number.push(carry as u8);
        }
    }
    let zeros = text.bytes().take_while(|letter| *letter == BASE58[0]).count();
    number.extend(std::iter::repeat_n(0, zeros));
    number.reverse();
    Some(number)
}

#[cfg(test)]
mod tests {
    use ring::signature::{Ed25519KeyPair, KeyPair};
    use serde_json::{Value, json};

    use super::*;

    const NOW: Timestamp = Timestamp(1_700_000_000_000);
    const SECRET: &str = "a tenant secret of some length";

    fn to_base58(bytes: &[u8]) -> String {
        let mut digits = vec![0_u32];
        for byte in bytes {
            let mut carry = u32::from(*byte);
            for digit in &mut digits {
                carry += *digit << 8;
                *digit = carry % 58;
                carry /= 58;
            }
            while carry > 0 {
                digits.push(carry % 58);
                carry /= 58;
            }
        }
        digits.iter().rev().map(|digit| char::from(BASE58[*digit as usize])).collect()
    }

    fn key() -> Ed25519KeyPair {
        Ed25519KeyPair::from_seed_unchecked(&[1; 32]).unwrap()
    }

    fn client() -> String {
        let public = key().public_key().as_ref().to_vec();
        format!("z{}", to_base58(&[&ED25519_CODE[..], &public].concat()))
    }

    fn token(alg: &str, claims: &Value, sign: impl Fn(&[u8]) -> Vec<u8>) -> String {
        let header = URL_SAFE_NO_PAD.encode(json!({ "alg": alg, "typ": "JWT" }).to_string());
        let claims = URL_SAFE_NO_PAD.encode(claims.to_string());
        let signed = format!("{header}.{claims}");
        let signature = URL_SAFE_NO_PAD.encode(sign(signed.as_bytes()));
        format!("{signed}.{signature}")
    }

    fn client_token(claims: &Value) -> String {
        token("EdDSA", claims, |text| key().sign(text).as_ref().to_vec())
    }

    fn tenant_token(claims: &Value, secret: &str) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        token("HS256", claims, |text| hmac::sign(&key, text).as_ref().to_vec())
    }

    #[test]
    fn a_known_did_key_reads() {
        // W3C, "The did:key Method", the first Ed25519 example.
        let id = "z6MkiTBz1ymuepAQ4HEHYSF1H8quG5GLVVQR3djdX3mDooWp";
        let key = public_key(id).unwrap();
        assert_eq!(to_base58(&[&ED25519_CODE[..], &key].concat()), id[1..]);
        assert_eq!(base58("11"), Some(vec![0, 0]));
        for bad in ["", "z", "zO0", "6Mki", &format!("z{}", "1".repeat(65))] {
            assert!(public_key(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_client_proves_itself_with_its_own_key() {
        let (id, at) = (client(), NOW.seconds());
        let did = format!("did:key:{id}");
        let good =
            json!({ "iss": did, "sub": "x", "aud": "https://us", "iat": at, "exp": at + 60 });
        let check =
            |token: &str, client: &str| check_client(token, client, |aud| aud == "https://us", NOW);
        assert_eq!(check(&client_token(&good), &id), Ok(()));
        assert_eq!(check(&client_token(&good), &did), Ok(()));
        assert_eq!(check(&client_token(&good), "another"), Err("iss is not this client"));
        let with = |key: &str, value: Value| {
            let mut claims = good.clone();
            claims[key] = value;
            check(&client_token(&claims), &id)
        };
        assert_eq!(with("aud", json!("https://them")), Err("aud is not this server"));
        assert_eq!(with("iat", json!(at + 121)), Err("iat lies in the future"));
        assert_eq!(with("iat", json!(at + 120)), Ok(()));
        assert_eq!(with("exp", json!(at - 121)), Err("it has expired"));
        assert_eq!(with("exp", json!(at - 120)), Ok(()));
        assert_eq!(with("exp", json!(null)), Ok(()));
        assert!(with("iat", json!(null)).is_err());
        assert_eq!(with("iss", json!(id)), Err("iss is no did:key"));
        let mut forged = client_token(&good);
        forged.replace_range(forged.len() - 4.., "AAAA");
        assert_eq!(check(&forged, &id), Err("the signature does not verify"));
        for broken in ["", "a.b", "a.b.c", "..", "Bearer x"] {
            assert!(check(broken, &id).is_err(), "{broken}");
        }
    }

    #[test]
    fn a_tenant_token_needs_the_secret_and_an_end() {
        let at = NOW.seconds();
        let good = json!({ "exp": at + 60 });
        assert_eq!(check_tenant(&tenant_token(&good, SECRET), SECRET, NOW), Ok(()));
        let other = tenant_token(&good, "another secret");
        assert_eq!(check_tenant(&other, SECRET, NOW), Err("the signature does not verify"));
        let old = tenant_token(&json!({ "exp": at - 121 }), SECRET);
        assert_eq!(check_tenant(&old, SECRET, NOW), Err("it has expired"));
        assert!(check_tenant(&tenant_token(&json!({}), SECRET), SECRET, NOW).is_err());
        let early = tenant_token(&json!({ "exp": at + 600, "nbf": at + 300 }), SECRET);
        assert_eq!(check_tenant(&early, SECRET, NOW), Err("it is not valid yet"));
        let none = token("none", &good, |_| Vec::new());
        assert_eq!(check_tenant(&none, SECRET, NOW), Err("it is signed by another algorithm"));
    }
}
