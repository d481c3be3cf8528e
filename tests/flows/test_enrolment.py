"""Who is enrolled, and how he is found again."""


def test_ann_permits_and_bo_does_not(world):
    assert [world.reason(who, "use:purchases:recommendations") for who in (world.ann, world.bo)] == ["PERMIT", "NO_RECORD"]
    world.check_ledger()
