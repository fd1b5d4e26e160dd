;; HLT F4
(func $HLT_8a01 (param i32) (result i32)
  (local i32)
  (if (i32.eqz (call $helper:hlt $0)) (then
    (return (i32.const 0))
  ))
  (if (i32.load offset=200 (i32.const 0)) (then
    (return_call $dispatch (call $attend $0))
  ))
  (local.set $1 (i32.add $0 (i32.const 32)))
  (return_call_indirect 0 (type 0) $1 (i32.load $1))
)
