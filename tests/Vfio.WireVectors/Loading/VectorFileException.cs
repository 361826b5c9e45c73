namespace Vfio.WireVectors.Loading;

/// <summary>A vector file is not as the README says; the message names the file, the entry and what is wrong with it.</summary>
internal sealed class VectorFileException(string message, Exception? inner = null) : Exception(message, inner);
