using Microsoft.Extensions.Logging;

namespace Vfio.Samples;

/// <summary>The log of a sample: lines on stderr.</summary>
internal sealed class ErrorLog(string name) : ILoggerProvider, ILogger
{
    public ILogger CreateLogger(string categoryName) => this;

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(
        LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        => Console.Error.WriteLine($"{name}[{Environment.ProcessId}]: {formatter(state, exception)}");

    public void Dispose()
    {
    }
}
