#include "textflag.h"

DATA bounds<>+0(SB)/8, $0x54B249AD2594C37D  // 1e100
DATA bounds<>+8(SB)/8, $0xD4B249AD2594C37D  // -1e100
DATA bounds<>+16(SB)/8, $0x3FF0000000000000 // 1
GLOBL bounds<>(SB), RODATA|NOPTR, $24

// Of a minimum or maximum with a missing number comes its second source, here the value: missing stays missing.

// func addQuads(x, n, mean, m2, scale *float64, quads int)
TEXT ·addQuads(SB), NOSPLIT, $0-48
	MOVQ x+0(FP), SI
	MOVQ n+8(FP), DI
	MOVQ mean+16(FP), R8
	MOVQ m2+24(FP), R9
	MOVQ scale+32(FP), R10
	MOVQ quads+40(FP), CX
	VBROADCASTSD bounds<>+0(SB), Y13
	VBROADCASTSD bounds<>+8(SB), Y14
	VBROADCASTSD bounds<>+16(SB), Y15
	VXORPD Y12, Y12, Y12
	XORQ AX, AX

add:
	VMOVUPD (SI)(AX*8), Y0
	VCMPPD  $3, Y0, Y0, Y1        // where x is missing
	VMINPD  Y0, Y13, Y0
	VMAXPD  Y0, Y14, Y0
	VMOVUPD (DI)(AX*8), Y2        // n
	VADDPD  Y15, Y2, Y3
	VDIVPD  Y3, Y15, Y4           // 1/n
	VMOVUPD (R8)(AX*8), Y5        // mean
	VSUBPD  Y5, Y0, Y6            // d
	VMULPD  Y4, Y6, Y7
	VADDPD  Y7, Y5, Y7            // the new mean
	VSUBPD  Y7, Y0, Y8
	VMULPD  Y8, Y6, Y8
	VMOVUPD (R9)(AX*8), Y9        // m2
	VADDPD  Y8, Y9, Y8            // the new m2
	VMULPD  Y4, Y8, Y10           // variance
	VCMPPD  $30, Y12, Y10, Y11    // where it is above 0
	VSQRTPD Y10, Y10
	VDIVPD  Y10, Y15, Y10
	VANDPD  Y11, Y10, Y10         // the new scale
	VBLENDVPD Y1, Y2, Y3, Y3      // the old ones where x is missing
	VMOVUPD Y3, (DI)(AX*8)
	VBLENDVPD Y1, Y5, Y7, Y7
	VMOVUPD Y7, (R8)(AX*8)
	VBLENDVPD Y1, Y9, Y8, Y8
	VMOVUPD Y8, (R9)(AX*8)
	VMOVUPD (R10)(AX*8), Y11
	VBLENDVPD Y1, Y11, Y10, Y10
	VMOVUPD Y10, (R10)(AX*8)
	ADDQ    $4, AX
	DECQ    CX
	JNZ     add
	VZEROUPPER
	RET

// func scaleQuads(dst, x, mean, scale *float64, quads int)
TEXT ·scaleQuads(SB), NOSPLIT, $0-40
	MOVQ dst+0(FP), DI
	MOVQ x+8(FP), SI
	MOVQ mean+16(FP), R8
	MOVQ scale+24(FP), R10
	MOVQ quads+32(FP), CX
	VBROADCASTSD bounds<>+0(SB), Y13
	VBROADCASTSD bounds<>+8(SB), Y14
	XORQ AX, AX

scale:
	VMOVUPD (SI)(AX*8), Y0
	VMINPD  Y0, Y13, Y0
	VMAXPD  Y0, Y14, Y0
	VSUBPD  (R8)(AX*8), Y0, Y0
	VMULPD  (R10)(AX*8), Y0, Y0
	VMOVUPD Y0, (DI)(AX*8)
	ADDQ    $4, AX
	DECQ    CX
	JNZ     scale
	VZEROUPPER
	RET
