#!/bin/bash
# Samplers on the functions of tests/golden/tpe: median regret of 30 seeds x 100 trials beside Optuna 5 with Mann-Whitney
# p-values, at lags 1 and 4; milliseconds a proposal at 10, 100, 1,000 and 10,000 trials; cost of PBO and SPA; memory of a
# study of 10,000 trials. Fails when a sampler falls behind its goal.
set -eu
filter=(samplers_keep_up_with_the_reference time_per_proposal time_of_two_thousand_trials memory_of_ten_thousand_trials)
cargo test --release --locked --lib -- --ignored --nocapture --test-threads 1 "${filter[@]}" |
    grep -Ev '^(running|test |$)|^test result'
exit "${PIPESTATUS[0]}"
