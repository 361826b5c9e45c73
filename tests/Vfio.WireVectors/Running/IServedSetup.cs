namespace Vfio.WireVectors.Running;

/// <summary>Where servers come from.</summary>
internal interface IServers
{
    /// <summary>Brings up the server of a set-up.</summary>
    /// <returns>Null: it is not to be had; its vectors are skipped.</returns>
    ValueTask<IServedSetup?> StartAsync(string setup, CancellationToken cancellationToken);
}

/// <summary>A server that listens. Disposing ends it, if it was started here.</summary>
internal interface IServedSetup : IAsyncDisposable
{
    string SocketPath { get; }

    /// <summary>Why it cannot be reached any more, for people; null while nothing is known against it.</summary>
    string? Trouble { get; }
}
