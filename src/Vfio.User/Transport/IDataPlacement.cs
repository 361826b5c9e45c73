using Vfio.User.Wire;

namespace Vfio.User.Transport;

/// <summary>Says where the data of a message is received to: its last copy is then the kernel's.</summary>
internal unsafe interface IDataPlacement
{
    /// <summary>Called when a header has come, before anything of its body is kept.</summary>
    /// <param name="header">The header; its size is possible.</param>
    /// <param name="before">How many bytes of the body stay with the receiver, in front of the data.</param>
    /// <returns>
    /// Room for the rest of the body, until the message is complete or receiving has ended; null: the receiver keeps all of it.
    /// </returns>
    byte* Place(in MessageHeader header, out int before);
}
