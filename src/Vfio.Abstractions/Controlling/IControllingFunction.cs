namespace Vfio;

/// <summary>
/// A function that executes commands on behalf of others: a PF for its VFs. Its handle outlives every binding of what it controls.
/// </summary>
public interface IControllingFunction
{
    /// <summary>The controlling function.</summary>
    PciAddress Address { get; }

    /// <summary>A way of speaking to it.</summary>
    /// <typeparam name="TService">The service; <see cref="ICommandChannel"/> for most device families.</typeparam>
    /// <returns>The service; null if the controlling function does not offer it.</returns>
    TService? Get<TService>()
        where TService : class;
}

/// <summary>The directory of controlling functions: controlled to controlling.</summary>
public interface IControllingFunctions
{
    /// <summary>Who controls a function.</summary>
    /// <param name="controlled">The controlled function.</param>
    /// <returns>Its controlling function; null if it has none.</returns>
    IControllingFunction? Of(PciAddress controlled);
}

/// <summary>
/// The command queue of a controlling function: the bytes of a command in the device family's own layout go in, the bytes of its completion
/// come out. No object is shared between a plugin and what executes its commands. Thread-safe; commands of several callers may be
/// outstanding together.
/// </summary>
public interface ICommandChannel
{
    /// <summary>Executes one command.</summary>
    /// <param name="command">
    /// The command, as the device family lays it out, with no address in it: the channel fills in where the data is.
    /// </param>
    /// <param name="data">What the command reads or writes; empty if it moves no data.</param>
    /// <param name="completion">Receives the completion, as the device family lays it out.</param>
    /// <param name="cancellationToken">Gives up waiting; the command may still be executed.</param>
    /// <returns>
    /// Success once there is a completion, whatever status it holds. EINVAL: a buffer's length is not the family's. EIO: the controlling
    /// function did not answer. ENODEV: it is gone.
    /// </returns>
    ValueTask<VfioResult> ExecuteAsync(
        ReadOnlyMemory<byte> command, Memory<byte> data, Memory<byte> completion, CancellationToken cancellationToken);
}
