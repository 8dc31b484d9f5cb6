import { createHmac } from 'node:crypto';
import { Curve, proto } from 'baileys';
import type { IdentityKey } from './keys.ts';

const ACCOUNT_SIGNATURE = Buffer.from([6, 0]);
const DEVICE_SIGNATURE = Buffer.from([6, 1]);

/** The phone's certificate for a device it has just paired with. */
export interface DeviceIdentity {
  /** What `<device-identity>` of `<pair-success>` carries. */
  bytes: Uint8Array;
  /** Whether the device has countersigned it, in what it answers. */
  isCountersigned(answer: Uint8Array): boolean;
}

/**
 * Certifies that the device with this identity key belongs to the phone's account. The secret is the one the device
 * and the phone share by the QR code or the pairing code; it proves to the device that its own phone signs.
 */
export function certifyDevice(
  account: IdentityKey,
  device: Buffer,
  deviceId: number,
  advSecret: Buffer,
  timestamp: number,
): DeviceIdentity {
  const details = proto.ADVDeviceIdentity.encode({
    rawId: deviceId,
    timestamp,
    keyIndex: deviceId,
  }).finish();
  const accountSignature = account.sign(Buffer.concat([ACCOUNT_SIGNATURE, details, device]));
  const signed = proto.ADVSignedDeviceIdentity.encode({
    details,
    accountSignatureKey: account.public,
    accountSignature,
  }).finish();
  const hmac = createHmac('sha256', advSecret).update(signed).digest();
  return {
    bytes: proto.ADVSignedDeviceIdentityHMAC.encode({ details: signed, hmac }).finish(),
    isCountersigned(answer) {
      const { deviceSignature } = proto.ADVSignedDeviceIdentity.decode(answer);
      const message = Buffer.concat([DEVICE_SIGNATURE, details, device, account.public]);
      return Curve.verify(device, message, deviceSignature!);
    },
  };
}
