use super::*;
use crate::env::SeededRandom;
use proptest::prelude::*;
use serde_json::Value;

fn random(seed: u64) -> Arc<dyn Random> {
    Arc::new(SeededRandom::new(seed))
}

fn psk(byte: u8) -> Psk {
    Psk::new(Zeroizing::new([byte; 32]))
}

fn connect(initiator: &Party<'_>, responder: &Party<'_>) -> Result<[(Channel, [u8; 32]); 2], NoiseError> {
    let mut initiator = Handshake::new(initiator, random(1))?;
    let mut responder = Handshake::new(responder, random(2))?;
    responder.read(&initiator.write()?)?;
    initiator.read(&responder.write()?)?;
    Ok([initiator.finish()?, responder.finish()?])
}

fn peers() -> [Channel; 2] {
    let channels = connect(&Party::PeerInitiator { psk: &psk(1) }, &Party::PeerResponder { psk: &psk(1) });
    channels.expect("the same key").map(|(channel, _)| channel)
}

fn sealed(channel: &mut Channel, plaintext: &[u8]) -> Vec<u8> {
    let mut message = Vec::new();
    channel.seal(plaintext, &mut message).expect("fits");
    message
}

#[test]
fn both_patterns_agree_on_channel_and_handshake_hash() {
    let secret = RelaySecret::generate(&*random(3));
    let relay = secret.public();
    let pairs = [
        connect(&Party::Client { relay: &relay }, &Party::Relay { secret: &secret }),
        connect(&Party::PeerInitiator { psk: &psk(1) }, &Party::PeerResponder { psk: &psk(1) }),
    ];
    for pair in pairs {
        let [(mut one, hash_one), (mut other, hash_other)] = pair.expect("the right keys");
        assert_eq!(hash_one, hash_other);
        let message = sealed(&mut one, b"there");
        assert_eq!(other.open(&message).as_deref(), Ok(&b"there"[..]));
        let message = sealed(&mut other, b"and back");
        assert_eq!(one.open(&message).as_deref(), Ok(&b"and back"[..]));
    }
}

#[test]
fn a_relay_with_another_key_is_refused() {
    let secret = RelaySecret::generate(&*random(3));
    let relay = RelaySecret::generate(&*random(4)).public();
    let result = connect(&Party::Client { relay: &relay }, &Party::Relay { secret: &secret });
    assert_eq!(result.err(), Some(NoiseError::Handshake));
}

#[test]
fn a_relay_key_of_small_order_is_refused() {
    let mut handshake = Handshake::new(&Party::Client { relay: &[0; 32] }, random(1)).expect("not used yet");
    assert_eq!(handshake.write().err(), Some(NoiseError::Handshake));
}

#[test]
fn a_peer_without_the_pre_shared_key_is_refused() {
    let result = connect(&Party::PeerInitiator { psk: &psk(1) }, &Party::PeerResponder { psk: &psk(2) });
    assert_eq!(result.err(), Some(NoiseError::Handshake));
}

#[test]
fn altered_repeated_and_reordered_messages_are_refused() {
    let [mut one, mut other] = peers();
    let first = sealed(&mut one, b"first");
    let second = sealed(&mut one, b"second");
    let mut altered = first.clone();
    altered[5] ^= 1;
    assert_eq!(other.open(&altered), Err(NoiseError::NotAuthentic));
    assert_eq!(other.open(&second), Err(NoiseError::NotAuthentic));
    assert!(other.open(&first).is_ok());
    assert_eq!(other.open(&first), Err(NoiseError::NotAuthentic));
}

#[test]
fn the_largest_plaintext_fits_a_message_and_one_more_byte_is_refused() {
    let [mut one, mut other] = peers();
    let plaintext = vec![7; PLAINTEXT_MAX];
    let message = sealed(&mut one, &plaintext);
    assert!(message.len() <= MESSAGE_MAX && message.len() + RECORD_OVERHEAD + 1 > MESSAGE_MAX);
    assert_eq!(message.len(), sealed_len(PLAINTEXT_MAX));
    assert_eq!(other.open(&message), Ok(plaintext));
    let mut message = Vec::new();
    assert_eq!(one.seal(&vec![7; PLAINTEXT_MAX + 1], &mut message), Err(NoiseError::Length));
    assert_eq!(other.open(&vec![0; MESSAGE_MAX + 1]), Err(NoiseError::Length));
}

#[test]
fn secrets_do_not_print() {
    assert_eq!(format!("{:?}", RelaySecret::from_bytes([9; 32])), "RelaySecret(..)");
    assert_eq!(format!("{:?}", psk(9)), "Psk(..)");
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_refused_without_panic(message in proptest::collection::vec(any::<u8>(), 1..300)) {
        let [mut one, _] = peers();
        prop_assert!(one.open(&message).is_err());
        let mut handshake = Handshake::new(&Party::PeerResponder { psk: &psk(1) }, random(1)).expect("new");
        prop_assert!(handshake.read(&message).is_err());
    }
}

#[test]
fn published_vectors_pass() {
    let file: Value =
        serde_json::from_str(include_str!("../../../../../tests/vectors/noise.json")).expect("json");
    let vectors = file["vectors"].as_array().expect("list");
    assert_eq!(vectors.len(), 2);
    for vector in vectors {
        check_vector(vector);
    }
}

fn bytes(value: &Value) -> Vec<u8> {
    let text = value.as_str().expect("hexadecimal text");
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).expect("digits")).collect()
}

fn check_vector(vector: &Value) {
    let side = |name: &str| {
        let get = |key: &str| vector.get(format!("{name}_{key}")).map(bytes);
        let psk: Option<[u8; 32]> =
            vector.get(format!("{name}_psks")).map(|keys| bytes(&keys[0]).try_into().expect("32 bytes"));
        let (prologue, ephemeral) = (get("prologue").expect("given"), get("ephemeral").expect("given"));
        let (own, remote) = (get("static"), get("remote_static"));
        let params = vector["protocol_name"].as_str().expect("text").parse().expect("known");
        let mut builder = snow::Builder::with_resolver(params, Box::new(Resolver(random(0))))
            .prologue(&prologue)
            .expect("once")
            .fixed_ephemeral_key_for_testing_only(&ephemeral);
        if let Some(psk) = &psk {
            builder = builder.psk(0, psk).expect("once");
        }
        if let Some(own) = &own {
            builder = builder.local_private_key(own).expect("once");
        }
        if let Some(remote) = &remote {
            builder = builder.remote_public_key(remote).expect("once");
        }
        if name == "init" { builder.build_initiator() } else { builder.build_responder() }.expect("complete")
    };
    let (mut initiator, mut responder) = (side("init"), side("resp"));
    let messages = vector["messages"].as_array().expect("list");
    let mut buffer = [0; 1024];
    let mut opened = [0; 1024];
    for (index, message) in messages[..2].iter().enumerate() {
        let (from, to) =
            if index == 0 { (&mut initiator, &mut responder) } else { (&mut responder, &mut initiator) };
        let length = from.write_message(&bytes(&message["payload"]), &mut buffer).expect("turn");
        assert_eq!(buffer[..length], bytes(&message["ciphertext"]));
        let length = to.read_message(&buffer[..length], &mut opened).expect("authentic");
        assert_eq!(opened[..length], bytes(&message["payload"]));
    }
    assert_eq!(initiator.get_handshake_hash(), bytes(&vector["handshake_hash"]));
    let mut initiator = initiator.into_transport_mode().expect("finished");
    let mut responder = responder.into_transport_mode().expect("finished");
    for (index, message) in messages[2..].iter().enumerate() {
        let (from, to) =
            if index % 2 == 0 { (&mut initiator, &mut responder) } else { (&mut responder, &mut initiator) };
        let length = from.write_message(&bytes(&message["payload"]), &mut buffer).expect("space");
        assert_eq!(buffer[..length], bytes(&message["ciphertext"]));
        let length = to.read_message(&buffer[..length], &mut opened).expect("authentic");
        assert_eq!(opened[..length], bytes(&message["payload"]));
    }
}
