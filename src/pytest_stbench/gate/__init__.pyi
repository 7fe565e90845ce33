from .intervals import (
    Reported as Reported,
    bound_for as bound_for,
    interval_for as interval_for,
    intervals_for as intervals_for,
)
from .margins import Floor as Floor, margin_floor as margin_floor
from .pairing import Stand as Stand, stand as stand
from .plan import PlannedGate as PlannedGate, plan_gates as plan_gates
from .rules import (
    Rule as Rule,
    apply_rule as apply_rule,
    at_least as at_least,
    at_most as at_most,
    beats as beats,
    lower_at_least as lower_at_least,
    not_worse_than as not_worse_than,
    patient_difference_at_least as patient_difference_at_least,
    worst_at_least as worst_at_least,
)
from .ruleset import Rules as Rules, required_references as required_references, rules_for as rules_for
from .verdict import (
    aggregate as aggregate,
    apply_rules as apply_rules,
    judge as judge,
    judge_within as judge_within,
)
