#include "textflag.h"

// func rmsPairs(w, grad, mean *float64, pairs int, rate, discount, fresh, epsilon float64)
TEXT ·rmsPairs(SB), NOSPLIT, $0-64
	MOVQ w+0(FP), DI
	MOVQ grad+8(FP), SI
	MOVQ mean+16(FP), DX
	MOVQ pairs+24(FP), CX
	MOVSD rate+32(FP), X8
	UNPCKLPD X8, X8
	MOVSD discount+40(FP), X9
	UNPCKLPD X9, X9
	MOVSD fresh+48(FP), X10
	UNPCKLPD X10, X10
	MOVSD epsilon+56(FP), X11
	UNPCKLPD X11, X11
	XORPD X12, X12
	XORQ AX, AX

loop:
	MOVUPD (SI)(AX*8), X0     // g
	MOVAPD X0, X5
	CMPPD  X12, X5, $4        // where g ≠ 0
	MOVMSKPD X5, BX
	TESTL  BX, BX
	JZ     next               // nothing to do in either
	MOVUPD (DX)(AX*8), X1     // E
	MOVAPD X1, X6
	MOVAPD X0, X2
	MULPD  X0, X2
	MULPD  X10, X2            // fresh·g²
	MULPD  X9, X1
	ADDPD  X2, X1             // the new E
	MOVAPD X5, X7
	ANDPD  X5, X1
	ANDNPD X6, X7
	ORPD   X7, X1             // the old one where g = 0
	MOVUPD X1, (DX)(AX*8)
	SQRTPD X1, X3
	ADDPD  X11, X3
	MULPD  X8, X0
	DIVPD  X3, X0             // rate·g / (√E + ε)
	MOVUPD (DI)(AX*8), X4
	SUBPD  X0, X4
	MOVUPD X4, (DI)(AX*8)
	MOVUPD X12, (SI)(AX*8)

next:
	ADDQ $2, AX
	DECQ CX
	JNZ  loop
	RET
