"""A stage can begin when all that it needs has ended."""

from plumbline.stage.scheduler.plan import Plan

#  a → b → d, c → d, e
UPSTREAM = {"a": set(), "b": {"a"}, "c": {"outside"}, "d": {"b", "c"}, "e": set()}


def test_stages_become_ready_in_the_order_of_the_plan_as_others_end():
    plan = Plan(list(UPSTREAM), UPSTREAM)
    assert plan.ready() == ["a", "c", "e"]
    for name in ("a", "c"):
        plan.begin(name)
    assert plan.ready() == ["e"]
    plan.end("c")
    assert plan.ready() == ["e"]
    plan.end("a")
    assert plan.ready() == ["b", "e"]
    assert plan.left == ["b", "d", "e"]


def test_dependents_are_all_behind_a_stage_and_can_be_dropped():
    plan = Plan(list(UPSTREAM), UPSTREAM)
    assert plan.dependents("a") == {"b", "d"}
    assert plan.dependents("e") == set()
    plan.drop({"b", "d"})
    assert plan.left == ["a", "c", "e"]
