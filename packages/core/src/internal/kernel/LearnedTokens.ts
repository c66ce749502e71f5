/**
 * What is learned of a provider's tokens from its answers: how far its tokenizer lies from the estimator, and how long
 * its answers are. Moving averages, per provider and model.
 */

/** Weight of the newest answer; a single odd request moves the averages little. */
const learningRate = 0.1

/**
 * Mean absolute deviations above the mean that are reserved. Between the moment a vendor counts a call and the moment it
 * is settled here, the reservation is all that stands for it; it costs room in flight only.
 */
const deviations = 2

/** A learned ratio outside these bounds says more about a mistake than about a tokenizer. */
const ratioBounds = { min: 0.25, max: 4 }

export class LearnedTokens {
  /** Actual input tokens over estimated ones. */
  inputRatio = 1
  inputDeviation = 0
  outputMean: number
  outputDeviation = 0

  constructor(outputPriorTokens: number) {
    this.outputMean = outputPriorTokens
  }

  /** By how much an estimate of input is multiplied, on the safe side. */
  get inputFactor(): number {
    return this.inputRatio + deviations * this.inputDeviation
  }

  /** What an answer is expected to take, on the safe side. */
  get usualOutput(): number {
    return Math.ceil(this.outputMean + deviations * this.outputDeviation)
  }

  learnInput(actualTokens: number, estimatedTokens: number): void {
    if (estimatedTokens <= 0) return
    const ratio = Math.min(ratioBounds.max, Math.max(ratioBounds.min, actualTokens / estimatedTokens))
    this.inputDeviation += learningRate * (Math.abs(ratio - this.inputRatio) - this.inputDeviation)
    this.inputRatio += learningRate * (ratio - this.inputRatio)
  }

  learnOutput(tokens: number): void {
    this.outputDeviation += learningRate * (Math.abs(tokens - this.outputMean) - this.outputDeviation)
    this.outputMean += learningRate * (tokens - this.outputMean)
  }
}
