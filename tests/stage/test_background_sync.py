from plumbline.stage import background_sync


def test_a_sync_is_requested_once_and_a_running_one_notices(tmp_path):
    assert background_sync.request(tmp_path)
    first = background_sync.requested(tmp_path)
    with background_sync.lock(tmp_path):
        assert not background_sync.request(tmp_path)
    assert background_sync.requested(tmp_path) != first
    assert background_sync.request(tmp_path)


def test_a_sync_is_waited_for_but_not_for_ever(tmp_path, caplog):
    assert background_sync.wait(tmp_path)
    background_sync.request(tmp_path)
    assert background_sync.wait(tmp_path)
    with background_sync.lock(tmp_path):
        assert not background_sync.wait(tmp_path, seconds=0.3)
    assert caplog.messages == ["MLflow is still being filled; see .plumbline/sync.log"]
