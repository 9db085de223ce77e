export {
  ImageAnswers,
  type ImageCheck,
  type ImageOutcome,
  type ImagesAtHand,
  type VerifyImage,
} from "./check.ts";
export {
  ImageVerifier,
  type ImageVerifierOptions,
  type VerificationResult,
} from "./verifier/verifier.ts";
