use super::*;

#[tokio::test]
async fn an_unknown_key_is_looked_for_at_once() {
    let scene = Scene::with(served(&set(&["a"]))).await;
    scene.server.answer(served(&set(&["a", "b"])));
    assert_eq!(scene.verify(&token("b")), Err(TokenError::UnknownKid));
    assert_eq!(scene.verify_or_fetch(&token("b")).await, Ok(()));
    assert_eq!(scene.server.requests(), 2);
}

#[tokio::test]
async fn a_key_of_another_kind_is_looked_for_too_but_never_a_secret_or_what_is_not_allowed() {
    let scene = Scene::before(served(&set(&["a"])), |workspace| {
        workspace.algorithms = vec![Algorithm::ES256, Algorithm::ES384, Algorithm::HS256];
    })
    .await;
    scene.start().await;
    for (algorithm, requests) in [(Algorithm::HS256, 1), (Algorithm::RS256, 1), (Algorithm::ES384, 2)] {
        let claims = object(&json!({"iss": "acme"}));
        let token = mint(&claims, algorithm, &signing_key(algorithm), Some("new")).unwrap();
        assert_eq!(scene.verify_or_fetch(&token).await, Err(TokenError::AlgorithmNotAllowed), "{algorithm}");
        assert_eq!(scene.server.requests(), requests, "{algorithm}");
    }
}

#[tokio::test]
async fn k1_a_flood_of_unknown_keys_brings_one_fetch_for_each_cooldown() {
    let scene = Scene::with(served(&set(&["a"]))).await;
    let good = token("a");
    for interval in 0..3 {
        for number in 0..500 {
            let unknown = token(&format!("{interval}-{number}"));
            assert_eq!(scene.verify_or_fetch(&unknown).await, Err(TokenError::UnknownKid));
            assert_eq!(scene.verify(&good), Ok(()));
        }
        assert_eq!(scene.server.requests(), 2 + interval);
        scene.clock.advance(COOLDOWN);
    }
    // The newer name may take the older's place in the memory of those missing; one of a thousand does.
    let wanted = &scene.verifier.workspaces["acme"].wanted;
    let other = (1..500).map(|number| format!("2-{number}")).find(|other| !wanted.compete("2-0", other));
    assert_eq!(scene.verify_or_fetch(&token(&other.unwrap())).await, Err(TokenError::UnknownKid));
    assert_eq!(scene.server.requests(), 5, "a name that met the cooldown was never looked for");
    scene.clock.advance(COOLDOWN);
    assert_eq!(scene.verify_or_fetch(&token("2-0")).await, Err(TokenError::UnknownKid));
    assert_eq!(scene.server.requests(), 5, "and one that was, in vain, is not looked for again");
}

#[tokio::test]
async fn k1_many_at_once_share_one_fetch() {
    let permitted = Arc::new(tokio::sync::Semaphore::new(0));
    let scene = Arc::new(Scene::with(served(&set(&["a"]))).await);
    scene.server.answer(crate::oauth::hostile_server::when(&permitted, served(&set(&["a", "b"]))));
    let many: Vec<_> = (0..200)
        .map(|number| {
            let (scene, token) = (Arc::clone(&scene), token_of("b", &number.to_string()));
            tokio::spawn(async move { scene.verify_or_fetch(&token).await })
        })
        .collect();
    scene.server.came(2).await;
    permitted.add_permits(1);
    for one in many {
        assert_eq!(one.await.unwrap(), Ok(()));
    }
    assert_eq!(scene.server.requests(), 2);
}

#[tokio::test]
async fn k7_a_thousand_rotations_refuse_nobody() {
    let scene = Scene::with(served(&set(&["k0"]))).await;
    let mut refused = Vec::new();
    for number in 0..1000 {
        let (old, new) = (format!("k{number}"), format!("k{}", number + 1));
        let from_before = token(&old);
        // The issuer publishes the new key beside the old one, signs with it, and then takes the old one away.
        scene.server.answer(served(&set(&[&old, &new])));
        refused.extend(scene.verify(&from_before).err());
        refused.extend(scene.verify_or_fetch(&token(&new)).await.err());
        refused.extend(scene.verify(&from_before).err());
        scene.read(served(&set(&[&new]))).await;
        refused.extend(scene.verify(&token(&new)).err());
        assert_eq!(scene.verify(&from_before), Err(TokenError::UnknownKid), "{old} was withdrawn");
        scene.clock.advance(COOLDOWN);
    }
    assert_eq!(refused, []);
    assert!(scene.status().generation >= 2000);
}
